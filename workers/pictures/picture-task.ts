import type { PreparedPicture, PreparePicture } from '../../src/media/prepared-picture.ts'
import type { Instant } from '../../src/units.ts'
import type { Task } from '../tools/task.ts'
import { preparePicture } from './prepare-picture.ts'

export interface PictureTask {
  readonly path: string
  readonly into: string
  readonly options: PreparePicture
  /** The day whose table of models holds; a process of the pool has no clock of its own to ask. */
  readonly at: Instant
}

/** The task: a picture made ready for a model. */
export const pictureTask: Task<PictureTask, PreparedPicture> = ({ path, into, options, at }, { mostPixels }) =>
  preparePicture(path, into, options, { mostPixels, at })

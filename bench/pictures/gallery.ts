import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'

/** One picture to measure with. */
export interface Exhibit {
  readonly path: string
  readonly name: string
  /** What is written on it; null where nobody says. */
  readonly text: string | null
}

/** Pictures by their names' ends; a text beside one has the same name and ends in `.gt.txt`. */
const PICTURES = '*.{jpg,jpeg,png,webp,avif,gif,tif,tiff}'

/** Every picture below some folders. */
export function gallery(folders: readonly string[]): Exhibit[] {
  return folders.flatMap((folder) => {
    const paths = globSync([PICTURES, `**/${PICTURES}`], { cwd: folder }).map((name) => join(folder, name))
    return [...new Set(paths)].sort().map((path) => ({ path, name: basename(path), text: textBeside(path) }))
  })
}

function textBeside(path: string): string | null {
  const file = join(dirname(path), `${basename(path, extname(path))}.gt.txt`)
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

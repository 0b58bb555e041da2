import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders to work in, one for each job in hand, all gone with the process or at the start of the next one. */
export class Scratch implements AsyncDisposable {
  readonly #root: string

  private constructor(root: string) {
    this.#root = root
  }

  /** `folder`: shared by the worker processes of this machine. What dead ones left in it is removed. */
  static async open(folder: string): Promise<Scratch> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(folder)) {
      const pid = Number(/^worker-(\d+)-/.exec(name)?.[1])
      if (pid !== process.pid && !isAlive(pid)) await rm(join(folder, name), { recursive: true, force: true })
    }
    return new Scratch(await mkdtemp(join(folder, `worker-${process.pid}-`)))
  }

  async folder(): Promise<AsyncDisposable & { readonly path: string }> {
    const path = await mkdtemp(join(this.#root, 'job-'))
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true })
  }
}

/** Of a process of somebody else's too. */
function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

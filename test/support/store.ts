import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { Store } from '../../src/store/store.ts'
import { policy, silent, TempFolder } from './parley.ts'

/** A private Redis, gone with its folder when the test file is over. */
export class TestStore implements AsyncDisposable {
  readonly store: Store
  readonly #folder: TempFolder

  private constructor(store: Store, folder: TempFolder) {
    this.store = store
    this.#folder = folder
  }

  static async open(): Promise<TestStore> {
    const folder = new TempFolder()
    return new TestStore(
      await Store.open(configFrom(policy(null, folder.path)), process.env.PATH, systemClock, silent),
      folder,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]()
    this.#folder[Symbol.dispose]()
  }
}

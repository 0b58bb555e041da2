import { rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import type { Dice } from './dice.ts'

interface Pair {
  near: Socket
  far: Socket
  isMute: boolean
}

/** A line in the middle, over which everything passes until it is told to go wrong. */
export class ChaosLine implements AsyncDisposable {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()

  private constructor(target: NetConnectOpts) {
    this.#server = createServer((near) => this.#join(near, connect(target)))
  }

  /** Listens on a unix socket, or on a port of 127.0.0.1 (0: a free one), for whoever wants to reach `target`. */
  static async open(listen: string | 0, target: NetConnectOpts): Promise<ChaosLine> {
    const line = new ChaosLine(target)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    line.#server.once('error', reject)
    if (typeof listen === 'string') {
      rmSync(listen, { force: true })
      line.#server.listen(listen, resolve)
    } else line.#server.listen(listen, '127.0.0.1', resolve)
    await promise
    return line
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts a share of the lines at once, whatever is on its way. */
  cut(share: number, dice: Dice): number {
    const chosen = this.#choose(share, dice)
    for (const pair of chosen) this.#end(pair)
    return chosen.length
  }

  /** From now on requests arrive and their replies are lost; after `ms` the lines are cut. */
  async loseReplies(share: number, ms: number, dice: Dice): Promise<void> {
    const chosen = this.#choose(share, dice)
    for (const pair of chosen) pair.isMute = true
    await after(ms)
    for (const pair of chosen) this.#end(pair)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    for (const pair of this.#pairs) this.#end(pair)
    await promise
  }

  #choose(share: number, dice: Dice): Pair[] {
    return [...this.#pairs].filter(() => dice.chance(share))
  }

  #join(near: Socket, far: Socket): void {
    const pair: Pair = { near, far, isMute: false }
    this.#pairs.add(pair)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => this.#end(pair))
    }
    near.pipe(far)
    far.on('data', (chunk: Buffer) => {
      if (pair.isMute || near.write(chunk)) return
      far.pause()
      near.once('drain', () => far.resume())
    })
    far.on('end', () => near.end())
  }

  #end(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return
    pair.near.destroy()
    pair.far.destroy()
  }
}

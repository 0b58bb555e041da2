import { pcm, type SpeechFixture, silence } from '../../fixtures/index.ts'

/** One piece as microphones give them: 100 ms of 24 kHz PCM16, bytes. */
export const PIECE = 4_800

/** A sentence and the pause after it by which a server knows that the turn is over. */
export function sentence(fixture: SpeechFixture): Buffer {
  return Buffer.concat([pcm(fixture), silence(1_200)])
}

/** Gives `sound` in pieces of 100 ms, in real time, until it is over or the microphone is disposed. */
export function microphone(sound: Buffer, give: (piece: Buffer) => void): Disposable {
  let at = 0
  const timer = setInterval(() => {
    if (at >= sound.length) return clearInterval(timer)
    give(sound.subarray(at, at + PIECE))
    at += PIECE
  }, 100)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

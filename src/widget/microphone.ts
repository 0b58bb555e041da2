import { toBase64 } from './pcm.ts'
import { CAPTURE, type Captured } from './worklet/messages.ts'

/** Why there is no microphone, as the call knows it. */
export type NoMicrophone = 'denied' | 'missing' | 'busy' | 'not_supported'

export interface MicrophoneListener {
  /** 40 ms of sound, base64 of 24 kHz PCM16, and how loud it is, 0 to 1. */
  captured(audio: string, level: number): void
  /** The device is gone: pulled out, or taken away by the system. */
  lost(): void
}

/** A microphone that is open. Closing it takes the recording sign off the browser's tab. */
export class Microphone {
  readonly deviceId: string
  readonly #stream: MediaStream
  readonly #source: MediaStreamAudioSourceNode
  readonly #node: AudioWorkletNode

  private constructor(stream: MediaStream, source: MediaStreamAudioSourceNode, node: AudioWorkletNode) {
    this.deviceId = stream.getAudioTracks()[0]?.getSettings().deviceId ?? ''
    this.#stream = stream
    this.#source = source
    this.#node = node
  }

  /** Asks the person, the first time. `deviceId`: the one wanted; null for the system's choice. Rejects as browsers do. */
  static async open(context: AudioContext, deviceId: string | null, listener: MicrophoneListener): Promise<Microphone> {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        channelCount: 1,
        ...(deviceId === null ? {} : { deviceId: { exact: deviceId } }),
      },
    })
    const source = context.createMediaStreamSource(stream)
    const node = new AudioWorkletNode(context, CAPTURE, { numberOfInputs: 1, numberOfOutputs: 0 })
    node.port.onmessage = ({ data }: MessageEvent<Captured>) => listener.captured(toBase64(data.samples), data.level)
    stream.getAudioTracks()[0]?.addEventListener('ended', () => listener.lost())
    source.connect(node)
    return new Microphone(stream, source, node)
  }

  /** Muted it gives silence. */
  mute(isMuted: boolean): void {
    for (const track of this.#stream.getAudioTracks()) track.enabled = !isMuted
  }

  close(): void {
    this.#node.port.onmessage = null
    this.#source.disconnect()
    for (const track of this.#stream.getTracks()) track.stop()
  }
}

/** What an error of `getUserMedia` means for a person. */
export function whyNot(error: unknown): NoMicrophone {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied'
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing'
    case 'NotReadableError':
    case 'AbortError':
      return 'busy'
    default:
      return 'not_supported'
  }
}

/** Microphones by name; names are there only once the person has allowed one. */
export async function microphones(): Promise<MediaDeviceInfo[]> {
  const devices = await navigator.mediaDevices.enumerateDevices()
  return devices.filter(({ kind, label }) => kind === 'audioinput' && label !== '')
}

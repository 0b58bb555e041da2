/** The build for a plain script tag. */
import { define } from './define.ts'

const here = (document.currentScript as HTMLScriptElement | null)?.src ?? location.href
define(here, new URL('parley-voice-audio.js', here))

import { ParleyVoice } from './element.ts'

/** Makes the element known to the page. `home`: where the script came from; `worklet`: the file that makes the sound. */
export function define(home: string, worklet: URL): void {
  ParleyVoice.home = home
  ParleyVoice.worklet = worklet.href
  if (customElements.get('parley-voice') === undefined) customElements.define('parley-voice', ParleyVoice)
}

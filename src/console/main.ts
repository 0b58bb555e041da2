import { h } from '../widget/dom.ts'
import { Api } from './api.ts'
import { Desk } from './desk.ts'
import { signIn } from './sign-in.ts'

/** Of this tab only: gone when it is closed, and never sent but in a header. */
const KEPT = 'parley-admin-key'

const app = document.getElementById('app') as HTMLElement
const status = document.getElementById('status') as HTMLElement
let desk: Desk | null = null

function open(api: Api): void {
  desk = new Desk(api, status, leave)
  app.replaceChildren(desk.header, desk.main)
  desk.main.focus({ preventScroll: true })
}

function leave(why: string): void {
  desk?.close()
  desk = null
  sessionStorage.removeItem(KEPT)
  askForKey(why)
}

function askForKey(why: string): void {
  document.title = 'Parley console'
  const door = signIn(why, (api, key) => {
    sessionStorage.setItem(KEPT, key)
    open(api)
  })
  app.replaceChildren(h('main', { class: 'door' }, door))
  door.querySelector('input')?.focus()
}

const kept = sessionStorage.getItem(KEPT)
if (kept === null) askForKey('')
else open(new Api(kept))
document.documentElement.dataset.ready = ''

import { h } from '../widget/dom.ts'
import { Api, ApiError } from './api.ts'

/** The door of the console: asks for the admin key until one is right. `why`: what to say at first, or nothing. */
export function signIn(why: string, signedIn: (api: Api, key: string) => void): HTMLElement {
  const input = h('input', {
    id: 'key',
    type: 'password',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
    'aria-describedby': 'key-note key-error',
  })
  const error = h('p', { id: 'key-error', class: 'error', role: 'alert' }, why)
  const submit = h('button', { type: 'submit', class: 'primary' }, 'Open the console')
  const note = h(
    'p',
    { id: 'key-note', class: 'note' },
    'The operator’s own key: in the built-in set-up it is in .parley/admin-key, and was printed at start. It stays in this tab and is gone when the tab is closed.',
  )
  const form = h(
    'form',
    { class: 'sign-in card' },
    h('h1', {}, 'Console'),
    h('label', { for: 'key' }, 'Admin key'),
    input,
    note,
    error,
    submit,
  )
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const key = input.value.trim()
    const api = new Api(key)
    submit.disabled = true
    error.textContent = ''
    try {
      await api.check()
      signedIn(api, key)
    } catch (cause) {
      error.textContent = wordsFor(cause)
      input.setAttribute('aria-invalid', 'true')
      input.focus()
      input.select()
    } finally {
      submit.disabled = false
    }
  })
  return form
}

function wordsFor(cause: unknown): string {
  if (!(cause instanceof ApiError)) return 'Something went wrong. Try again.'
  if (cause.status === 403) return 'This is a key, but not the operator’s: the console needs the admin key.'
  if (cause.status === 401) return 'This key is not known here.'
  return cause.status === 0 ? 'The server does not answer. Is it running?' : cause.message
}

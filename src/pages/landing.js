// Fills the landing page in: addresses of this server, and the demo where there is one.
const all = (selector) => document.querySelectorAll(selector)
const byId = (id) => document.getElementById(id)

const origin = location.origin
const addresses = { http: origin, ws: origin.replace(/^http/, 'ws') }
const wanted = { http: `${addresses.http}/v1`, ws: `${addresses.ws}/v1/realtime` }
for (const element of all('[data-url]')) element.textContent = wanted[element.dataset.url]

const templates = new Map(['curl', 'node', 'tag'].map((id) => [id, byId(id).textContent]))

function fill(key) {
  for (const [id, text] of templates) {
    byId(id).textContent = text
      .replaceAll('%HTTP%', addresses.http)
      .replaceAll('%WS%', addresses.ws)
      .replaceAll('%KEY%', key)
  }
}

for (const button of all('[data-copy]')) {
  button.addEventListener('click', async () => {
    const source = byId(button.dataset.copy)
    const isCopied = await navigator.clipboard.writeText(source.textContent).then(
      () => true,
      () => false,
    )
    if (!isCopied) getSelection()?.selectAllChildren(source)
    button.textContent = isCopied ? 'Copied' : 'Selected'
    byId('said').textContent = button.textContent
    setTimeout(() => {
      button.textContent = 'Copy'
    }, 2_000)
  })
}

fill('YOUR_KEY')
const answer = await fetch('/demo').catch(() => null)
const demo = answer?.ok === true ? await answer.json() : null
if (demo !== null) {
  byId('key').textContent = demo.key
  fill(demo.key)
}
for (const element of all('[data-demo]')) element.hidden = demo === null
for (const element of all('[data-no-demo]')) element.hidden = demo !== null
document.documentElement.dataset.ready = ''

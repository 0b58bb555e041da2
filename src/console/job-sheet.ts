import { h, setText } from '../widget/dom.ts'
import type { JobResultView, JobRow } from '../wire/console-jobs.ts'
import type { Context } from './context.ts'
import { Facts, Sheet } from './dialogs.ts'
import { bytes, dayAndTime, exactDollars, shortId, took, whole, words } from './format.ts'
import { button, enable } from './table.ts'

/** Text of a result that is shown at once. */
const MOST_SHOWN = 20_000

/** One job: what it did, what it cost and saved, and, when asked for, what came of it. */
export function openJob(row: JobRow, context: Context): void {
  const sheet = new Sheet(`Job ${shortId(row.id)}`, () => undefined)
  const facts = new Facts()
  facts.show(factsOf(row))
  sheet.body.append(facts.root)
  if (row.status !== 'succeeded') return
  const output = h('pre', { tabindex: '0', 'aria-label': 'Result' })
  output.hidden = true
  const note = h(
    'p',
    { class: 'note' },
    'The result is content of a customer. Looking at it is written into the audit log.',
  )
  const press = button('Show the result', async () => {
    enable(press, false)
    try {
      output.textContent = textOf(await context.api.result(row.tenant, row.id))
      output.hidden = false
      press.remove()
      output.focus()
    } catch (error) {
      setText(note, context.failed(error))
      enable(press, true)
    }
  })
  sheet.body.append(h('section', { 'aria-label': 'Result' }, h('h3', {}, 'Result'), note, press, output))
}

function textOf(result: JobResultView): string {
  if (result.type === 'none') return 'The result is not kept any more.'
  if (result.type === 'file') return `A file of the tenant’s: ${result.file_id}, ${result.mime}`
  const text = JSON.stringify(result.value, null, 2)
  return text.length <= MOST_SHOWN
    ? text
    : `${text.slice(0, MOST_SHOWN)}\n… ${whole(text.length - MOST_SHOWN)} more characters`
}

function factsOf(row: JobRow): [string, string][] {
  const pairs: [string, string | null][] = [
    ['Type', row.type],
    ['Status', row.cancel_requested && row.ended_at === null ? `${row.status}, asked to end` : row.status],
    ['Error', row.error === null ? null : `${words(row.error.code)}: ${row.error.message}`],
    ['Stage', row.total > 0 ? `${row.stage}, ${row.done} of ${row.total}` : row.stage],
    ['Tenant', row.tenant],
    ['User', row.user],
    ['Batch', row.batch_id],
    ['Priority', row.priority],
    ['Attempt', `${row.attempt} of ${row.max_attempts}`],
    ['Asked for', dayAndTime(row.created_at)],
    ['Not before', row.run_at === null ? null : dayAndTime(row.run_at)],
    ['Waited', row.started_at === null ? null : took(row.started_at - row.created_at)],
    ['Took', row.started_at === null || row.ended_at === null ? null : took(row.ended_at - row.started_at)],
    ['Calls', row.calls === null ? null : whole(row.calls)],
    [
      'Cost',
      row.cost_nano_usd === null ? null : `${exactDollars(row.cost_nano_usd)}${row.estimated ? ', estimated' : ''}`,
    ],
    ['Saved', row.saved_nano_usd === null ? null : exactDollars(row.saved_nano_usd)],
    ['Sound billed', fromTo(row.billed_ms, row.input_ms, took)],
    ['Tokens sent', fromTo(row.tokens_sent, row.tokens_in, whole)],
    ['Bytes sent', fromTo(row.bytes_sent, row.bytes_in, bytes)],
    ['Id', row.id],
  ]
  return pairs.flatMap(([name, value]): [string, string][] => (value === null ? [] : [[name, value]]))
}

const fromTo = (sent: number | null, all: number | null, write: (n: number) => string): string | null =>
  sent === null || all === null ? null : `${write(sent)} of ${write(all)}`

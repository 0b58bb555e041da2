import type { OpenAPIHono } from '@hono/zod-openapi'
import { TAGS, tagOf } from './document-tags.ts'

/** What the document says of all routes together. */
const HEAD = {
  openapi: '3.1.0',
  info: {
    title: 'Parley',
    version: '1',
    description:
      'Sessions with realtime models, and media made ready for models. Times of the batch door are RFC 3339 in UTC, lengths are milliseconds, money is whole billionths of a US dollar. Lists of words may grow, and so may answers; unknown fields of requests are refused.',
  },
  security: [{ key: [] }],
  tags: TAGS,
}

type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>
type Item = NonNullable<Document['paths']>[string]

/** The document of an app’s routes, each operation in its part, parts and paths in the order of a first reading. */
export function documentOf(app: OpenAPIHono): Document {
  const { paths = {}, webhooks = {}, ...rest } = app.getOpenAPI31Document(HEAD)
  const places = Object.entries(paths).map(([path, item]) => [path, placed(item, tagOf(path))] as const)
  // A webhook is called by its event’s name; the library takes it for a path.
  const events = Object.entries(webhooks).map(([path, item]) => {
    const event = path.replace(/^\//, '')
    // Nobody shows a key for it: it is signed.
    return [event, placed(item as Item, tagOf(event), { security: [] })] as const
  })
  const order = TAGS.map(({ name }) => name)
  const rank = ([path]: readonly [string, Item]) => order.indexOf(tagOf(path))
  places.sort((a, b) => rank(a) - rank(b))
  return { ...rest, paths: Object.fromEntries(places), webhooks: Object.fromEntries(events) }
}

/** The same with every operation told which part it belongs to. */
function placed(item: Item, tag: string, more: object = {}): Item {
  const operations = Object.entries(item).map(([method, operation]) => [method, { ...operation, tags: [tag], ...more }])
  return Object.fromEntries(operations) as Item
}

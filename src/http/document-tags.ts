/** One part of the document, and the paths that belong to it. */
interface Part {
  readonly name: string
  readonly description: string
  readonly paths: RegExp
}

/** In the order in which a newcomer meets them. A path belongs to the first that it matches. */
const PARTS: readonly Part[] = [
  {
    name: 'Live',
    description:
      'Sessions with realtime models: who may open one, and those that run. The sessions themselves are spoken over a WebSocket at `/v1/realtime`, in OpenAI’s own protocol: see [asyncapi.json](/asyncapi.json).',
    paths: /^(\/openai)?\/v1\/(realtime|models|sessions)(\/|$)/,
  },
  {
    name: 'Jobs',
    description: 'Work on one recording, picture or video: asked for, followed, fetched, erased.',
    paths: /^\/v1\/jobs(\/|$)/,
  },
  {
    name: 'Files',
    description: 'What jobs read and what they leave behind, in one request or by resumable upload.',
    paths: /^\/v1\/(files|uploads)(\/|$)/,
  },
  { name: 'Batches', description: 'Many jobs from one file of lines.', paths: /^\/v1\/batches(\/|$)/ },
  {
    name: 'Drop-ins',
    description:
      'OpenAI’s own endpoints, in its own shapes: media is prepared on the way, so that fewer tokens are bought.',
    paths: /^(\/openai)?\/v1\/(audio|chat|responses)(\/|$)/,
  },
  {
    name: 'Usage',
    description: 'What was used and saved, what it cost, what is left, and what something would cost.',
    paths: /^\/v1\/(usage|limits|prices|estimates)(\/|$)/,
  },
  {
    name: 'Webhooks',
    description: 'Being told of jobs, batches, files, sessions and budgets, signed as Standard Webhooks are.',
    paths: /^(\/v1\/webhook_\w+(\/|$)|[a-z_]+\.[a-z_]+$)/,
  },
  {
    name: 'Admin',
    description:
      'The operator’s: tenants, keys, plans, the audit log, and what runs on all nodes. Needs the admin key. The console at [/console](/console) is made of it.',
    paths: /^\/v1\/admin(\/|$)/,
  },
  {
    name: 'Health',
    description:
      'How this node is, for machines that ask every few seconds. No key: keep them from the public network.',
    paths: /^\/(healthz|readyz|metrics)$/,
  },
]

export const TAGS = PARTS.map(({ name, description }) => ({ name, description }))

/** The part of the document that a path or an event belongs to. Throws for one that belongs nowhere. */
export function tagOf(path: string): string {
  const part = PARTS.find(({ paths }) => paths.test(path))
  if (part === undefined) throw new Error(`no part of the document has a place for ${path}: see document-tags.ts`)
  return part.name
}

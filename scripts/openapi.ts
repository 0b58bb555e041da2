// Writes the documents of both doors. Tests compare them with what the routes and the events say.
import { writeFileSync } from 'node:fs'
import { apiDocument } from '../src/http/document.ts'
import { liveDocument } from '../src/http/live-document.ts'

const write = (name: string, document: unknown) =>
  writeFileSync(new URL(`../${name}`, import.meta.url), `${JSON.stringify(document, null, 2)}\n`)

write('openapi.json', apiDocument())
write('asyncapi.json', liveDocument())

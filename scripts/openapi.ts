// Writes the document of all routes. A test compares it with what the routes say.
import { writeFileSync } from 'node:fs'
import { apiDocument } from '../src/http/document.ts'

writeFileSync(new URL('../openapi.json', import.meta.url), `${JSON.stringify(apiDocument(), null, 2)}\n`)

// Writes the JSON schema of the policy file, for editors. A test compares it with what the reader accepts.
import { writeFileSync } from 'node:fs'
import { policyJsonSchema } from '../src/config/schema.ts'

writeFileSync(new URL('../parley.schema.json', import.meta.url), `${JSON.stringify(policyJsonSchema(), null, 2)}\n`)

// npm run key [-- --pepper <pepper>] [--environment live]: a new API key, and the two lines for the policy file.
import { parseArgs } from 'node:util'
import { makeKey } from '../src/auth/keys.ts'

const { values } = parseArgs({
  options: { pepper: { type: 'string', default: '' }, environment: { type: 'string', default: 'live' } },
})
if (!/^[a-z]{2,8}$/.test(values.environment)) {
  process.stderr.write('--environment takes two to eight letters a-z\n')
  process.exit(1)
}
const { key, id, hash } = makeKey(values.environment, values.pepper)
process.stdout.write(`Shown once, for the caller:
  ${key}

For the policy file, under tenants.<name>.keys (an admin key: its hash as security.adminKeyHash):
  - id: ${id}
    hash: ${hash}
`)

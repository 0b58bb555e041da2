import type { z } from 'zod'

type Loose = Record<string, unknown>

const PROVIDER = 'stand-in'
/** What takes the place of an entry that is wrong: there under its name, and at odds with nothing. */
const STAND_INS: Readonly<Record<string, unknown>> = {
  providers: { type: 'loopback' },
  models: { provider: PROVIDER },
  plans: {},
  tenants: { plan: PROVIDER },
}

/**
 * A policy file without what `issues` complain about, so that everything else in it can be judged in the same go: no
 * problem is found in the result that is not in the file.
 */
export function withStandIns(raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return {}
  const file: Loose = { ...raw }
  for (const issue of issues) {
    if (issue.path.length === 0 && issue.code === 'unrecognized_keys') for (const key of issue.keys) delete file[key]
    const [section, entry] = issue.path as [string?, string?]
    if (section === undefined) continue
    const entries = file[section]
    if (!(section in STAND_INS)) delete file[section]
    // Without a whole section nobody can say whether what others name in it is there.
    else if (entry === undefined) return {}
    else if (issue.code === 'invalid_key') file[section] = without(entries as Loose, entry)
    else file[section] = { ...(entries as Loose), [entry]: STAND_INS[section] }
    // The steps of an objective are about models of one kind, and that of a stand-in is not known.
    if (section === 'models') delete file.objective
  }
  return {
    ...file,
    providers: { loopback: { type: 'loopback' }, ...(file.providers as Loose), [PROVIDER]: STAND_INS.providers },
    plans: { default: {}, ...(file.plans as Loose), [PROVIDER]: {} },
  }
}

function without(entries: Loose, name: string): Loose {
  const { [name]: _wrong, ...rest } = entries
  return rest
}

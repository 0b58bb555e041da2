import type { Finding } from './evidence.ts'

export type { Finding }

/** The verdict, promise by promise. */
export function show(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ promise, found, isKept, examples }) => [
    `${isKept ? 'kept  ' : 'BROKEN'}  ${promise}`,
    `        ${found}`,
    ...examples.map((example) => `        ! ${example}`),
  ])
  return `\n${lines.join('\n')}\n`
}

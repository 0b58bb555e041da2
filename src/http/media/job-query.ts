import { z } from '@hono/zod-openapi'
import { JOB_STATUSES } from '../../media/job.ts'
import { JOB_TYPES } from '../../media/job-request.ts'
import type { JobFilter } from '../../media/job-store.ts'
import { instant } from '../../units.ts'
import { PageQuery } from './schemas.ts'

const METADATA = /^metadata\[(.{1,64})\]$/

const when = z.iso.datetime({ offset: true })
const known = PageQuery.extend({
  status: z.enum(JOB_STATUSES).optional(),
  type: z.enum(JOB_TYPES).optional(),
  batch_id: z.string().max(64).optional(),
  created_after: when.optional(),
  created_before: when.optional(),
  'metadata[key]': z.string().max(512).optional().openapi({ description: 'Any key, up to 16 of them' }),
})

/** The query of a list of jobs. `metadata[…]` takes any key, so whatever else is unknown is named here. */
export const JobQuery = z
  .object(known.shape)
  .catchall(z.string().max(512))
  .superRefine((query, context) => {
    const keys = Object.keys(query).filter((name) => !(name in known.shape) && !METADATA.test(name))
    if (keys.length > 0) context.addIssue({ code: 'unrecognized_keys', keys, input: query })
  })

export function filterOf(query: z.infer<typeof JobQuery>): JobFilter {
  const pairs = Object.entries(query).flatMap(([name, value]) => {
    const key = METADATA.exec(name)?.[1]
    return key === undefined ? [] : [[key, String(value)] as const]
  })
  const { limit, after, before, status, type, batch_id, created_after, created_before } = query
  return {
    limit,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(status === undefined ? {} : { status }),
    ...(type === undefined ? {} : { type }),
    ...(batch_id === undefined ? {} : { batch: batch_id }),
    ...(created_after === undefined ? {} : { createdAfter: instant(Date.parse(created_after)) }),
    ...(created_before === undefined ? {} : { createdBefore: instant(Date.parse(created_before)) }),
    ...(pairs.length === 0 ? {} : { metadata: Object.fromEntries(pairs) }),
  }
}

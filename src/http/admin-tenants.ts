import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Administration, TenantInput } from '../admin/administration.ts'
import type { KeyUse } from '../auth/key-use.ts'
import { SCOPES } from '../auth/scopes.ts'
import type { KeyConfig, TenantConfig } from '../config/config.ts'
import { tenantId, tenantSettings } from '../config/schema.ts'
import type { StoredTenant } from '../config/stored-policy.ts'
import { writtenOverrides } from '../config/written.ts'
import { FaultError } from '../faults.ts'
import type { Instant } from '../units.ts'

/** A key without its secret. Times in Unix ms. */
const KeyView = z
  .object({
    id: z.string(),
    object: z.literal('parley.key'),
    name: z.string().nullable(),
    scopes: z.array(z.enum(SCOPES)),
    created_at: z.number().nullable(),
    /** To the hour. */
    last_used_at: z.number().nullable(),
    /** The secret before the last rotation, while it still exists: until when it is good; null for until it is revoked. */
    former_secret: z.object({ valid_until: z.number().nullable() }).nullable(),
  })
  .openapi('Key')

const TenantView = z
  .object({
    id: z.string(),
    object: z.literal('parley.tenant'),
    /** What the policy file names can only be changed there. */
    source: z.enum(['policy_file', 'stored']),
    plan: z.string(),
    suspended: z.boolean(),
    origins: z.array(z.string()),
    limits: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number()]).nullable())),
    created_at: z.number().nullable(),
    keys: z.array(KeyView),
  })
  .openapi('Tenant')
type TenantView = z.infer<typeof TenantView>

const Params = z.object({ id: tenantId })
const body = <S extends z.ZodType>(schema: S) => ({
  body: { content: { 'application/json': { schema } }, required: true },
})
const answer = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

const settings = tenantSettings.shape
/** Without defaults: what is left out of a change stays as it is. */
const Change = z
  .strictObject({
    plan: settings.plan.unwrap(),
    origins: settings.origins.unwrap(),
    suspended: settings.suspended.unwrap(),
    limits: settings.limits.unwrap(),
  })
  .partial()
  .openapi('TenantChange')
const Make = tenantSettings.extend({ id: tenantId }).openapi('NewTenant')

const list = createRoute({
  method: 'get',
  path: '/v1/admin/tenants',
  summary: 'All tenants, those of the policy file too',
  request: {
    query: z.object({
      after: z.string().max(40).default(''),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
    }),
  },
  responses: {
    200: answer(
      z.object({ object: z.literal('list'), data: z.array(TenantView), has_more: z.boolean() }),
      'In order of their ids, from the one after `after` on',
    ),
  },
})
const make = createRoute({
  method: 'post',
  path: '/v1/admin/tenants',
  summary: 'Make a tenant',
  request: body(Make),
  responses: { 201: answer(TenantView, 'The tenant; it has no keys yet') },
})
const get = createRoute({
  method: 'get',
  path: '/v1/admin/tenants/{id}',
  summary: 'One tenant',
  request: { params: Params },
  responses: { 200: answer(TenantView, 'The tenant') },
})
const change = createRoute({
  method: 'patch',
  path: '/v1/admin/tenants/{id}',
  summary: 'Change a tenant: each setting that is given replaces the present one whole',
  request: { params: Params, ...body(Change) },
  responses: { 200: answer(TenantView, 'The tenant as it is now; sessions of a suspended one end within seconds') },
})
const remove = createRoute({
  method: 'delete',
  path: '/v1/admin/tenants/{id}',
  summary: 'Remove a tenant with its keys; its sessions end within seconds',
  request: { params: Params },
  responses: { 204: { description: 'It is gone' } },
})

export function tenantRoutes(app: OpenAPIHono, administration: Administration, keyUse: KeyUse): void {
  const { policy } = administration
  const viewOf = async (id: string): Promise<TenantView> => {
    const tenant = policy.config.tenants.get(id)
    if (tenant === undefined) throw new FaultError('not_found', `There is no tenant '${id}'.`)
    return view(id, tenant, storedOf(id), await lastUses(keyUse))
  }
  const storedOf = (id: string) => (policy.file.tenants.has(id) ? null : (policy.stored.tenants.get(id) ?? null))

  app.openapi(list, async (c) => {
    const { after, limit } = c.req.valid('query')
    const uses = await lastUses(keyUse)
    const ids = [...policy.config.tenants.keys()].filter((id) => id > after).sort()
    const data = ids
      .slice(0, limit)
      .map((id) => view(id, policy.config.tenants.get(id) as TenantConfig, storedOf(id), uses))
    return c.json({ object: 'list' as const, data, has_more: ids.length > limit }, 200)
  })
  app.openapi(make, async (c) => {
    c.req.valid('json')
    const { id, ...written } = (await c.req.json()) as TenantInput & { id: string }
    await administration.makeTenant(id, written)
    return c.json(await viewOf(id), 201)
  })
  app.openapi(get, async (c) => c.json(await viewOf(c.req.valid('param').id), 200))
  app.openapi(change, async (c) => {
    const { id } = c.req.valid('param')
    c.req.valid('json')
    await administration.changeTenant(id, (await c.req.json()) as Partial<TenantInput>)
    return c.json(await viewOf(id), 200)
  })
  app.openapi(remove, async (c) => {
    await administration.removeTenant(c.req.valid('param').id)
    return c.body(null, 204)
  })
}

type LastUses = ReadonlyMap<string, Instant>

async function lastUses(keyUse: KeyUse): Promise<LastUses> {
  return keyUse.all().catch((cause: unknown) => {
    throw new FaultError('store_unavailable', 'Keys cannot be looked up right now.', { cause, retryAfterMs: 2_000 })
  })
}

function view(id: string, tenant: TenantConfig, stored: StoredTenant | null, uses: LastUses): TenantView {
  return {
    id,
    object: 'parley.tenant',
    source: stored === null ? 'policy_file' : 'stored',
    plan: tenant.plan,
    suspended: tenant.suspended,
    origins: [...tenant.origins],
    limits: writtenOverrides(tenant.limits),
    created_at: stored?.madeAt ?? null,
    keys: tenant.keys.map((key) => keyView(key, stored, uses)),
  }
}

function keyView({ id, scopes, former }: KeyConfig, stored: StoredTenant | null, uses: LastUses) {
  const kept = stored?.keys.find((key) => key.id === id)
  return {
    id,
    object: 'parley.key' as const,
    name: kept?.name ?? null,
    scopes: [...scopes],
    created_at: kept?.madeAt ?? null,
    last_used_at: uses.get(id) ?? null,
    former_secret: former === null ? null : { valid_until: former.until },
  }
}

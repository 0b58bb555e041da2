import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { TenantKeys } from '../admin/tenant-keys.ts'
import { SCOPES } from '../auth/scopes.ts'
import { duration } from '../config/quantities.ts'
import { scopes, tenantId } from '../config/schema.ts'

const Params = z.object({ id: tenantId, keyId: z.string().regex(/^[a-z0-9]{8}$/) })
const environment = z
  .string()
  .regex(/^[a-z]{2,8}$/, 'expected 2 to 8 of a-z')
  .default('live')

const Make = z
  .strictObject({
    environment,
    /** Your own word for it. */
    name: z.string().max(64).default(''),
    scopes: scopes.default([...SCOPES]),
  })
  .openapi('NewKey')
const Rotate = z
  .strictObject({
    environment,
    /** How long the present secret stays good; null: until it is revoked. */
    oldValidFor: duration.nullable().prefault(null),
  })
  .openapi('KeyRotation')
const Shown = z
  .object({
    id: z.string(),
    object: z.literal('parley.key'),
    /** Shown this once. */
    key: z.string().openapi({ example: 'sk_live_…' }),
  })
  .openapi('ShownKey')

const body = <S extends z.ZodType>(schema: S) => ({
  body: { content: { 'application/json': { schema } }, required: false },
})
const shown = (description: string) => ({ description, content: { 'application/json': { schema: Shown } } })

const make = createRoute({
  method: 'post',
  path: '/v1/admin/tenants/{id}/keys',
  summary: 'Make a key for a tenant',
  request: { params: Params.pick({ id: true }), ...body(Make) },
  responses: { 201: shown('The key, shown once') },
})
const rotate = createRoute({
  method: 'post',
  path: '/v1/admin/tenants/{id}/keys/{keyId}/rotate',
  summary: 'Give a key a new secret; the present one stays good for a while',
  request: { params: Params, ...body(Rotate) },
  responses: { 201: shown('The key with its new secret, shown once') },
})
const revokeFormer = createRoute({
  method: 'delete',
  path: '/v1/admin/tenants/{id}/keys/{keyId}/former',
  summary: 'End the secret before the last rotation',
  request: { params: Params },
  responses: { 204: { description: 'Only the present secret is good' } },
})
const revoke = createRoute({
  method: 'delete',
  path: '/v1/admin/tenants/{id}/keys/{keyId}',
  summary: 'Revoke a key; sessions opened with it end within seconds',
  request: { params: Params },
  responses: { 204: { description: 'It is good for nothing any more' } },
})

export function keyRoutes(app: OpenAPIHono, tenantKeys: TenantKeys): void {
  app.openapi(make, async (c) => {
    const wish = Make.parse(c.req.header('content-type') === undefined ? {} : c.req.valid('json'))
    const { id, key } = await tenantKeys.make(c.req.valid('param').id, wish)
    return c.json({ id, object: 'parley.key' as const, key }, 201)
  })
  app.openapi(rotate, async (c) => {
    const { id: tenant, keyId } = c.req.valid('param')
    const wish = c.req.header('content-type') === undefined ? Rotate.parse({}) : c.req.valid('json')
    const { id, key } = await tenantKeys.rotate(tenant, keyId, wish.environment, wish.oldValidFor)
    return c.json({ id, object: 'parley.key' as const, key }, 201)
  })
  app.openapi(revokeFormer, async (c) => {
    const { id, keyId } = c.req.valid('param')
    await tenantKeys.revokeFormer(id, keyId)
    return c.body(null, 204)
  })
  app.openapi(revoke, async (c) => {
    const { id, keyId } = c.req.valid('param')
    await tenantKeys.revoke(id, keyId)
    return c.body(null, 204)
  })
}

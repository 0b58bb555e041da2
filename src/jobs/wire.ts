import { z } from '@hono/zod-openapi'

/** Instants on the wire: RFC 3339, UTC, milliseconds. */
export const Time = z.string().openapi({ format: 'date-time', example: '2026-11-25T12:00:00.000Z' })
export const Whole = z.int()

export const iso = (at: number): string => new Date(at).toISOString()
export const isoOrNull = (at: number | null): string | null => (at === null ? null : iso(at))

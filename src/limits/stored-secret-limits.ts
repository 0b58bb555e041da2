import { z } from 'zod'
import { type Ms, ms, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'
import { NO_SECRET_LIMITS } from './accounts.ts'

/** What a client secret allows, as it is kept: plain whole numbers. Records from before there was any allow everything. */
export const StoredSecretLimits = z
  .object({
    budget: z
      .int()
      .nullable()
      .transform((n): NanoUsd | null => (n === null ? null : nanoUsd(n))),
    tokensPerMinute: z
      .int()
      .nullable()
      .transform((n): Tokens | null => (n === null ? null : tokens(n))),
    maxDuration: z
      .int()
      .nullable()
      .transform((n): Ms | null => (n === null ? null : ms(n))),
  })
  .default(NO_SECRET_LIMITS)

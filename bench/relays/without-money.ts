import { registerHooks } from 'node:module'

// Loaded before a relay's own code: the same relay, but no metering, no limits, no booking.
const standIn = new URL('./no-till.ts', import.meta.url).href
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier.endsWith('/money/till.ts') || specifier === './till.ts' ? standIn : specifier, context),
})

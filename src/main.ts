import './gc.ts'

// Loading everything else lets the young heap grow, and it never shrinks again by itself: the collector is told first.
await import('./run.ts')

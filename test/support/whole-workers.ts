import { systemClock } from '../../src/clock.ts'
import { Metrics } from '../../src/metrics.ts'
import { startWorkers } from '../../workers/main.ts'
import { IsolatedMediaTools } from '../../workers/tools/isolated-media-tools.ts'
import { toolSettings } from './ffmpeg.ts'
import { type Parley, silent } from './parley.ts'

/** All that a process of workers runs, with real tools, beside this node; ended with `stack`. */
export async function wholeWorkers(
  { store, config }: Parley,
  stack: AsyncDisposableStack,
  metrics = new Metrics(),
): Promise<void> {
  const tools = stack.use(await IsolatedMediaTools.start(toolSettings(), systemClock, silent))
  const common = { clock: systemClock, log: silent, store, metrics, tools }
  stack.use(await startWorkers({ ...common, config: () => config, hopeless: () => undefined }))
}

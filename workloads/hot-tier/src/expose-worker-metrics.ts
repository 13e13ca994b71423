import { type Metric, Registry } from 'prom-client'
import { mergeSamples } from './merge-samples.ts'
import { createHotTierMetrics } from './metrics.ts'
import type { MetricSamples, ShardWorker } from './shard-worker.ts'

/** What prom-client's metrics carry at run time, beyond their types. */
type Described = Readonly<{ name: string; help: string; type: string; labelNames: readonly string[] }>

/**
 * Puts the metrics of the workers into the registry of the process: each scrape asks every worker once. A metric that has
 * a label `worker` is told for each of them, any other is their sum; after the workers come others that count some of the sums.
 */
export function exposeWorkerMetrics(
  registry: Registry,
  workers: ReadonlyArray<Pick<ShardWorker, 'samples'>>,
): void {
  let asked: Promise<ReadonlyArray<readonly MetricSamples[]>> | undefined
  const ask = () => {
    asked ??= Promise.all(workers.map((worker) => worker.samples())).finally(() => {
      asked = undefined
    })
    return asked
  }
  const catalogue = new Registry()
  createHotTierMetrics(catalogue)
  for (const { name, help, type, labelNames } of catalogue.getMetricsAsArray() as unknown as Described[]) {
    const apart = labelNames.includes('worker')
    const get = async () => {
      const samples = (await ask()).map((ofWorker) => ofWorker.find((one) => one.name === name))
      return { name, help, type, values: mergeSamples(samples, apart) }
    }
    registry.registerMetric({ name, help, type, get } as unknown as Metric)
  }
}

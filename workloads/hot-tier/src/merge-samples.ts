import type { MetricValue } from 'prom-client'
import type { MetricSamples } from './shard-worker.ts'

/** A value of prom-client's; the parts of a histogram name themselves. */
type Sample = MetricValue<string> & { readonly metricName?: string }

/**
 * The samples of one metric of several workers as one: added up by labels, as counters, the parts of histograms and these
 * gauges may be; or, where each worker's are told apart, under a label `worker` with its number.
 * Cost: O(samples).
 */
export function mergeSamples(
  ofWorkers: ReadonlyArray<MetricSamples | undefined>,
  apart: boolean,
): readonly Sample[] {
  const samples = ofWorkers.map((one) => (one?.values ?? []) as readonly Sample[])
  if (apart)
    return samples.flatMap((ofWorker, worker) =>
      ofWorker.map((sample) => ({ ...sample, labels: { ...sample.labels, worker: String(worker) } })),
    )
  const sums = new Map<string, Sample>()
  for (const sample of samples.flat()) {
    const labels = Object.entries(sample.labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const key = JSON.stringify([sample.metricName, labels])
    sums.set(key, { ...sample, value: sample.value + (sums.get(key)?.value ?? 0) })
  }
  return [...sums.values()]
}

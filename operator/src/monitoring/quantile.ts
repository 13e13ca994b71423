import type { Selection } from './selection.ts'

/** A quantile of a histogram over Grafana's own interval, by further labels where given. Units are the histogram's. */
export const quantile = (
  { series, by }: Selection,
  q: number,
  histogram: string,
  labels: readonly string[] = [],
): string =>
  `histogram_quantile(${q}, sum ${by('le', ...labels)} (rate(${series(`${histogram}_bucket`)}[$__rate_interval])))`

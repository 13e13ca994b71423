import { Gauge, type Registry } from 'prom-client'
import type { CatalogClient } from './catalog-client.ts'
import { metricPrefix } from './metric-prefix.ts'

/** What every role that follows the catalog tells of it, read when it is scraped. */
export function createCatalogMetrics(
  role: string,
  registry: Registry,
  catalog: Pick<CatalogClient, 'ageMs'>,
): void {
  new Gauge({
    name: `${metricPrefix(role)}_catalog_age_seconds`,
    help: 'For how long the catalog may be out of date: 0 while it is followed, +Inf before the first. Not at control-plane and operator.',
    registers: [registry],
    collect() {
      this.set(catalog.ageMs() / 1_000)
    },
  })
}

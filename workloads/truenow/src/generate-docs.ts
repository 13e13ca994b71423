import { writeFileSync } from 'node:fs'
import { createCatalogMetrics } from '@truenow/chassis/catalog-metrics.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createTlsCredentials } from '@truenow/chassis/tls-credentials.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import { ControlPlaneConfig } from '@truenow/control-plane/config.ts'
import { createControlPlaneMetrics } from '@truenow/control-plane/metrics.ts'
import { GatewayConfig } from '@truenow/gateway/config.ts'
import { createGatewayMetrics } from '@truenow/gateway/metrics.ts'
import { HotTierConfig } from '@truenow/hot-tier/config.ts'
import { createHotTierMetrics } from '@truenow/hot-tier/metrics.ts'
import { IngesterConfig } from '@truenow/ingester/config.ts'
import { createIngesterMetrics } from '@truenow/ingester/metrics.ts'
import { OperatorConfig } from '@truenow/operator/config.ts'
import { createOperatorMetrics } from '@truenow/operator/metrics.ts'
import { QueryConfig } from '@truenow/query/config.ts'
import { createQueryMetrics } from '@truenow/query/metrics.ts'
import { WatermarkConfig } from '@truenow/watermark/config.ts'
import { createWatermarkMetrics } from '@truenow/watermark/metrics.ts'
import { Registry } from 'prom-client'
import type { TObject } from 'typebox'
import { configurationPage } from './configuration-page.ts'
import { metricsPage } from './metrics-page.ts'

/*
 * Writes docs/configuration.md and docs/metrics.md from what the roles really check and register; `make generate` runs it.
 * A role that is missing here does not compile.
 */
const ROLES: Record<Role, Readonly<{ config: TObject; createMetrics: (registry: Registry) => unknown }>> = {
  gateway: { config: GatewayConfig, createMetrics: createGatewayMetrics },
  ingester: { config: IngesterConfig, createMetrics: createIngesterMetrics },
  'hot-tier': { config: HotTierConfig, createMetrics: createHotTierMetrics },
  query: { config: QueryConfig, createMetrics: createQueryMetrics },
  watermark: { config: WatermarkConfig, createMetrics: createWatermarkMetrics },
  'control-plane': { config: ControlPlaneConfig, createMetrics: createControlPlaneMetrics },
  operator: { config: OperatorConfig, createMetrics: createOperatorMetrics },
}
const roles = Object.keys(ROLES) as Role[]

/** What the chassis registers for any role; the servers never listen. */
async function chassisRegistry(role: Role): Promise<Registry> {
  const registry = new Registry()
  const log = createLog({ role })
  const tls = createTlsCredentials()
  const context = { log, clock: systemClock, registry, pod: '', version: '', tls }
  const health = createHealth({ role, version: '', clock: systemClock })
  const http = createHttpServer({ role, context, health })
  const grpc = createGrpcServer({ role, log, registry, health })
  createCatalogMetrics(role, registry, { ageMs: () => 0 })
  await Promise.all([http.close(), grpc.close()])
  return registry
}

function ownRegistry(role: Role): Registry {
  const registry = new Registry()
  ROLES[role].createMetrics(registry)
  return registry
}

const note = (sources: string) =>
  `Written by \`make generate\` from ${sources}; change those and run it again, not this page.`
const pages = {
  configuration: configurationPage(
    Object.fromEntries(roles.map((role) => [role, ROLES[role].config])) as Record<Role, TObject>,
    note('the schemas in each role’s `src/config.ts`'),
  ),
  metrics: metricsPage(
    { role: 'gateway', registry: await chassisRegistry('gateway') },
    roles.map((role) => ({ role, registry: ownRegistry(role) })),
    note('the registries that each role’s `src/metrics.ts` and the chassis fill'),
  ),
}
for (const [name, text] of Object.entries(pages)) {
  writeFileSync(new URL(`../../../docs/${name}.md`, import.meta.url), text)
}

import { type CatalogClient, createCatalogClient } from '@truenow/chassis/catalog-client.ts'
import { createCatalogMetrics } from '@truenow/chassis/catalog-metrics.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'

type Settings = Readonly<{ TRUENOW_CONTROL_PLANE: string; TRUENOW_CATALOG_FILE: string }>

/** The catalog as every role but the control plane follows it; `watcher` names it in the control plane's log. */
export function followCatalog(role: string, config: Settings, context: RoleContext): CatalogClient {
  const catalog = createCatalogClient({
    address: config.TRUENOW_CONTROL_PLANE,
    watcher: `${role} ${context.pod}`,
    ...(config.TRUENOW_CATALOG_FILE === '' ? {} : { cacheFile: config.TRUENOW_CATALOG_FILE }),
    context,
  })
  createCatalogMetrics(role, context.registry, catalog)
  return catalog
}

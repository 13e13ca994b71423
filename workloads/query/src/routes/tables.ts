import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { HttpApp } from '@truenow/chassis/http-server.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { tableColumns } from '@truenow/kernels/query/table-columns.ts'

/** GET /v1/tables: what can be asked for. */
export function tablesRoute(app: HttpApp, { catalog }: Readonly<{ catalog: CatalogClient }>): void {
  app.get('/v1/tables', async () => {
    const view = catalog.current()
    if (view === undefined) {
      throw new TrueNowError(
        'TN_CATALOG_UNAVAILABLE',
        'No catalog has come from the control plane yet; ask again.',
      )
    }
    const tables = view.tables().map(({ definition }) => ({
      namespace: definition.namespace,
      table: definition.name,
      version: definition.version,
      slots: definition.slots,
      columns: [...tableColumns(definition).values()].map(({ name, type, nullable }) => ({
        name,
        type: type === 'id' ? 'string' : type,
        nullable,
      })),
    }))
    return { tables }
  })
}

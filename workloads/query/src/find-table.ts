import type { CatalogView, TableView } from '@truenow/chassis/catalog-view.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { nearestName } from '@truenow/kernels/query/nearest-name.ts'

/** The table of a statement. Errors: TN_TABLE_UNKNOWN with the name that was probably meant. */
export function findTable(view: CatalogView, namespace: string, name: string): TableView {
  const table = view.table(namespace, name)
  if (table !== undefined) return table
  const all = view.tables().map(({ definition }) => definition)
  const siblings = all.filter((definition) => definition.namespace === namespace)
  const known = siblings.length > 0
  const nearest = known
    ? nearestName(
        name,
        siblings.map((sibling) => sibling.name),
      )
    : nearestName(namespace, new Set(all.map((each) => each.namespace)))
  const what = known ? `table '${name}' in namespace '${namespace}'` : `namespace '${namespace}'`
  const remedy = nearest === undefined ? 'GET /v1/tables lists what there is.' : `Did you mean '${nearest}'?`
  throw new TrueNowError('TN_TABLE_UNKNOWN', `There is no ${what}. ${remedy}`, {
    details: {
      path: known ? 'table' : 'namespace',
      ...(nearest === undefined ? {} : { did_you_mean: nearest }),
    },
  })
}

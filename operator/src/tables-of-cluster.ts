import type { Table } from './api/v1alpha1/table.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import type { Seen } from './operator-context.ts'

/** The Tables that name this cluster. */
export function tablesOfCluster(tables: Pick<Seen<Table>, 'all'>, { namespace, name }: ObjectKey): Table[] {
  return tables
    .all()
    .filter(({ metadata, spec }) => metadata.namespace === namespace && spec.clusterRef.name === name)
}

import type { Table } from './api/v1alpha1/table.ts'
import { listAll } from './kubernetes/list-all.ts'
import { TABLES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'

/**
 * Is no Table of this uid left in the namespace. Asked of the API server itself, with a consistent read: the cache of a new
 * leader may be older than what the last one told the control plane, and a table that is taken for lost stops answering.
 * Costs nothing while the cache shows it. Errors: KubernetesError; then nobody knows.
 */
export async function tableIsGone(
  { kubernetes, tables }: Pick<OperatorContext, 'kubernetes' | 'tables'>,
  namespace: string,
  uid: string,
): Promise<boolean> {
  const isIt = ({ metadata }: Table) => metadata.uid === uid
  if (tables.all().some(isIt)) return false
  const { objects } = await listAll<Table>(kubernetes, TABLES, { namespace })
  return !objects.some(isIt)
}

import { NAME_PATTERN } from '@truenow/contracts/table-definition.ts'
import type { Table } from './api/v1alpha1/table.ts'

/** The immutable pair by which the data plane knows a table. */
export type TableIdentity = Readonly<{ namespace: string; name: string }>

/** `(spec.namespace, spec.name)`, where absent the Kubernetes names with `-` as `_`. */
export function tableIdentity({ metadata, spec }: Table): TableIdentity {
  const plain = (name: string) => name.replaceAll('-', '_').replaceAll('.', '_')
  return {
    namespace: spec.namespace ?? plain(metadata.namespace),
    name: spec.name ?? plain(metadata.name),
  }
}

/** Why a name by default is no lawful one; undefined when both are. */
export function identityProblem(table: Table): string | undefined {
  const lawful = new RegExp(NAME_PATTERN)
  const { namespace, name } = tableIdentity(table)
  if (!lawful.test(namespace))
    return `spec.namespace: the default '${namespace}', from the Kubernetes namespace, is no lawful name (${NAME_PATTERN}); set spec.namespace`
  if (!lawful.test(name))
    return `spec.name: the default '${name}', from the object's name, is no lawful name (${NAME_PATTERN}); set spec.name`
  return undefined
}

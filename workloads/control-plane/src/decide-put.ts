import type { ErrorCode } from '@truenow/contracts/errors.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { evolveTable } from './evolve-table.ts'
import type { TableDeclaration } from './table-declaration.ts'

/** What the catalog holds under an identity. Retained: kept by deletionPolicy Retain for whoever comes next. */
export type HeldTable = Readonly<{
  state: 'live' | 'retained'
  uid: string
  generation: number
  newest: TableDefinition
}>

export type PutDecision =
  | { kind: 'create'; definition: TableDefinition }
  | { kind: 'keep'; definition: TableDefinition }
  | { kind: 'change'; definition: TableDefinition; changes: readonly string[] }
  | { kind: 'adopt'; definition: TableDefinition; changes: readonly string[] }
  | { kind: 'refuse'; code: ErrorCode; message: string; details: Readonly<Record<string, unknown>> }

type Claim = Readonly<{ uid: string; generation: number; declared: TableDeclaration }>

/** Decides what a PutTable does. Pure, because it is asked before the topic is touched and again inside the transaction. */
export function decidePut(held: HeldTable | undefined, { uid, generation, declared }: Claim): PutDecision {
  if (held === undefined) return { kind: 'create', definition: { ...declared, version: 1 } }
  const name = `${declared.namespace}.${declared.name}`
  if (held.state === 'live' && held.uid !== uid) {
    const message = `NameTaken: table ${name} belongs to another Table object (uid ${held.uid}); choose another name, or delete that one.`
    return {
      kind: 'refuse',
      code: 'TN_TABLE_CONFLICT',
      message,
      details: { reason: 'NameTaken', uid: held.uid },
    }
  }
  if (held.state === 'live' && generation < held.generation) {
    const message = `Table ${name}: generation ${generation} is older than ${held.generation}, which the catalog holds; read the object again.`
    return { kind: 'refuse', code: 'TN_GENERATION_STALE', message, details: { generation: held.generation } }
  }
  const evolution = evolveTable(held.newest, declared)
  if (evolution.kind === 'refused') {
    const adoption = held.state === 'retained'
    const why = evolution.reasons.join('; ')
    return {
      kind: 'refuse',
      code: adoption ? 'TN_TABLE_CONFLICT' : 'TN_TABLE_INVALID',
      message: adoption
        ? `AdoptionConflict: an earlier table ${name}, kept by deletionPolicy Retain, does not match: ${why}.`
        : `Table ${name} is refused: ${why}.`,
      details: { reason: adoption ? 'AdoptionConflict' : 'ChangeRefused', reasons: evolution.reasons },
    }
  }
  const changed = evolution.kind === 'changed'
  const definition = changed ? evolution.definition : held.newest
  const changes = changed ? evolution.changes : []
  if (held.state === 'retained') return { kind: 'adopt', definition, changes }
  return changed ? { kind: 'change', definition, changes } : { kind: 'keep', definition }
}

import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { EventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import type { ReadBody, Rejection } from '@truenow/kernels/ingest/read-body.ts'
import { nearestName } from '@truenow/kernels/query/nearest-name.ts'
import type { Positions, RowIngest } from './ingest-rows.ts'
import type { GatewayMetrics } from './metrics.ts'

export type IngestAnswer = Readonly<{
  received: number
  accepted: number
  rejected: number
  /** At most ERRORS_MAX of them; `rejected` is their number in full. */
  errors: ReadonlyArray<Rejection & Readonly<{ code: 'TN_EVENT_INVALID' }>>
  positions: Positions
}>
export type IngestParts = Readonly<{ catalog: CatalogClient; ingest: RowIngest; metrics: GatewayMetrics }>

/** Rejections that one answer lists. */
export const ERRORS_MAX = 1_000

/** The table that a request names. Errors: TN_CATALOG_UNAVAILABLE, TN_TABLE_UNKNOWN with what was likely meant. */
export function tableOf(catalog: CatalogClient, namespace: string, name: string): TableView {
  const view = catalog.current()
  if (view === undefined) {
    throw new TrueNowError(
      'TN_CATALOG_UNAVAILABLE',
      'No catalog has come from the control plane yet; send again.',
    )
  }
  const table = view.table(namespace, name)
  if (table !== undefined) return table
  // Only names of the same namespace are told: those of others are not this client's business.
  const names = view
    .tables()
    .flatMap(({ definition }) => (definition.namespace === namespace ? [definition.name] : []))
  const near = nearestName(name, names)
  const hint = near === undefined ? 'create it as a Table object' : `did you mean '${near}'?`
  throw new TrueNowError(
    'TN_TABLE_UNKNOWN',
    `There is no table '${name}' in the namespace '${namespace}'; ${hint}`,
  )
}

/**
 * Reads, writes and counts one request. Answers once Kafka acknowledged every accepted event.
 * Errors: those of reading the body and of writing; TN_EVENT_INVALID when no event was good.
 */
export async function answerIngest(
  { catalog, ingest, metrics }: IngestParts,
  namespace: string,
  name: string,
  read: (schema: EventSchema) => ReadBody,
): Promise<IngestAnswer> {
  const table = tableOf(catalog, namespace, name)
  const schema = ingest.schemaOf(table.definition)
  const { received, rows, rejections } = read(schema)
  metrics.received.inc(received)
  metrics.rejected.inc({ reason: 'invalid' }, rejections.length)
  const errors = rejections.slice(0, ERRORS_MAX).map((one) => ({ ...one, code: 'TN_EVENT_INVALID' as const }))
  const counts = { received, accepted: rows.length, rejected: rejections.length, errors }
  if (rows.length === 0) {
    if (received === 0) return { ...counts, positions: {} }
    const [first] = errors
    const message = `None of ${received} events was good; the first: ${first?.path} ${first?.message}.`
    throw new TrueNowError('TN_EVENT_INVALID', message, { details: { ...counts, positions: {} } })
  }
  return { ...counts, positions: await ingest.write(table, schema, rows) }
}

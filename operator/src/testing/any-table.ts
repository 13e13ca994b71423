import fc from 'fast-check'
import type { Table, TableSpec } from '../api/v1alpha1/table.ts'

export const tableSpec: TableSpec = {
  clusterRef: { name: 'demo' },
  namespace: 'production',
  name: 'events',
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'items', type: 'int64', nullable: true },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['region'],
  slots: 8,
  retention: '1h',
  allowedLateness: '10s',
  dedupWindow: '10m',
  maxFutureSkew: '1m',
  idleTimeout: '1s',
  onMemoryFull: 'Evict',
  source: { gateway: {} },
  deletionPolicy: 'Retain',
}

export function tableOf(spec: Partial<TableSpec> = {}, metadata: Partial<Table['metadata']> = {}): Table {
  return {
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'Table',
    metadata: { name: 'events', namespace: 'apps', uid: 'uid-1', generation: 1, ...metadata },
    spec: { ...tableSpec, ...spec },
  }
}

/** Tables that may mean the same: few names, few times, any uid. */
export const anyClaimant: fc.Arbitrary<Table> = fc
  .record({
    uid: fc.uuid(),
    namespace: fc.constantFrom('apps', 'other'),
    cluster: fc.constantFrom('demo', 'second'),
    logical: fc.constantFrom('events', 'clicks'),
    createdAt: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', undefined),
  })
  .map(({ uid, namespace, cluster, logical, createdAt }) =>
    tableOf(
      { clusterRef: { name: cluster }, name: logical },
      { uid, namespace, name: uid, ...(createdAt === undefined ? {} : { creationTimestamp: createdAt }) },
    ),
  )

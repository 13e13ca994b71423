import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import { type CatalogView, viewOfCatalog } from '@truenow/chassis/catalog-view.ts'
import { CatalogSnapshotSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'

type Snapshot = MessageInitShape<typeof CatalogSnapshotSchema>

/** A catalog that a test sets by hand. */
export function createStaticCatalog(first?: Snapshot) {
  const viewOf = (snapshot: Snapshot) => viewOfCatalog(create(CatalogSnapshotSchema, snapshot))
  const listeners = new Set<(view: CatalogView) => void>()
  let view = first && viewOf(first)
  const client: CatalogClient = {
    current: () => view,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    whenReady: async () => view ?? Promise.reject(new Error('no catalog')),
    ageMs: () => 0,
    close: async () => {},
  }
  return {
    client,
    set(snapshot: Snapshot): void {
      view = viewOf(snapshot)
      for (const listener of listeners) listener(view)
    },
  }
}

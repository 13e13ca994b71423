import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { CatalogSnapshotSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { CatalogClient } from '../catalog-client.ts'
import { type CatalogView, viewOfCatalog } from '../catalog-view.ts'

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
      for (const listener of [...listeners]) listener(view)
    },
  }
}

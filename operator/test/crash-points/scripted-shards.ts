import { setTimeout as delay } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type CatalogSnapshot,
  RegisterShardRequestSchema,
  ReportShardRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { SlotStateSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { openCatalog } from '../../../workloads/control-plane/test/open-catalog.ts'
import type { ScriptedKubelet } from './scripted-kubelet.ts'

type Catalog = Awaited<ReturnType<typeof openCatalog>>
type Volume = Readonly<{ incarnation: bigint; catalogId: string }>

const LOOK_MS = 300
/** At once after a change of the catalog, else so often: hundreds of shards that repeat themselves would be most of the work here. */
const REPORT_MS = 1_000
const REPLICA_BYTES = 10n
const SHARD_BYTES_MAX = 1_000_000n

/**
 * The shards of one cluster: each ready pod of the hot tier registers with what its volume says, and reports that it holds all that
 * the catalog assigns to it, caught up. The log is empty, so a copy takes no time: protocols are walked, not data.
 */
export function runScriptedShards({ parts, service }: Catalog, kubelet: ScriptedKubelet, namespace: string) {
  /** By uid of the claim: what a shard wrote on it. */
  const volumes = new Map<string, Volume>()
  /** By uid of the pod: what it registered as. */
  const registered = new Map<string, Volume>()
  /** By uid of the pod: of which catalog it reported last, and when. */
  const reported = new Map<string, Readonly<{ revision: bigint; atMs: number }>>()
  const ending = new AbortController()

  const register = async (shard: number, processId: string, address: string, volumeUid: string) => {
    const volume = volumes.get(volumeUid)
    const { incarnation, catalogId } = await service.registerShard(
      create(RegisterShardRequestSchema, {
        shard,
        processId,
        address,
        volumeIncarnation: volume?.incarnation ?? 0n,
        volumeCatalogId: volume?.catalogId ?? '',
      }),
    )
    volumes.set(volumeUid, { incarnation, catalogId })
    registered.set(processId, { incarnation, catalogId })
  }
  const report = async (shard: number, processId: string, snapshot: CatalogSnapshot) => {
    const last = reported.get(processId)
    const nowMs = performance.now()
    if (last?.revision === snapshot.revision && nowMs - last.atMs < REPORT_MS) return
    const { incarnation } = registered.get(processId) ?? { incarnation: 0n }
    const slots = snapshot.tables.flatMap(({ versionsJson, slots: all }) => {
      const { namespace, name } = JSON.parse(versionsJson[0] ?? '{}') as { namespace: string; name: string }
      return all
        .filter(({ replicas }) =>
          replicas.some((one) => one.shard === shard && one.incarnation === incarnation),
        )
        .map(
          ({ slot, epoch }) =>
          create(SlotStateSchema, { table: { namespace, name }, slot, epoch, cursor: { offset: -1n }, endOffset: 0n, progressedAtUs: 1n, residentBytes: REPLICA_BYTES }), // biome-ignore format: one line
        )
    })
    await service.reportShard(
      create(ReportShardRequestSchema, {
        shard,
        incarnation,
        processId,
        catalogRevision: snapshot.revision,
        memoryBytes: BigInt(slots.length) * REPLICA_BYTES,
        memoryBytesMax: SHARD_BYTES_MAX,
        slots,
      }),
    )
    reported.set(processId, { revision: snapshot.revision, atMs: nowMs })
  }
  const round = async () => {
    for (const { metadata, status } of kubelet.readyPods(namespace, 'hot-tier')) {
      const volume = kubelet.volume(namespace, `data-${metadata.name}`)
      const snapshot = parts.follower.current()
      if (volume === undefined || snapshot === undefined) continue
      const shard = Number(metadata.name.split('-').at(-1))
      try {
        if (registered.get(metadata.uid)?.catalogId !== snapshot.catalogId)
          await register(shard, metadata.uid, `${status?.podIP}:9091`, volume)
        else await report(shard, metadata.uid, snapshot)
      } catch (error) {
        // Retired, or the catalog is gone: a process that is told so registers anew.
        if (!(error instanceof TrueNowError)) throw error
        registered.delete(metadata.uid)
      }
    }
  }
  const running = (async () => {
    while (!ending.signal.aborted) {
      await round()
      await delay(LOOK_MS, undefined, { signal: ending.signal }).catch(() => {})
    }
  })()
  return {
    close: async () => {
      ending.abort()
      await running
    },
  }
}

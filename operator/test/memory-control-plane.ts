import { create } from '@bufbuild/protobuf'
import type { Clock } from '@truenow/chassis/clock.ts'
import { createTlsCredentials } from '@truenow/chassis/tls-credentials.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type CatalogSnapshot,
  CatalogSnapshotSchema,
  DeleteClusterResponseSchema,
  DeleteTableResponseSchema,
  DeletionPolicy,
  GetPlacementResponseSchema,
  MovePhase,
  PutClusterResponseSchema,
  PutTableResponseSchema,
  RetireShardsResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { GetFreshnessResponseSchema } from '@truenow/contracts/gen/truenow/v1/watermark_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ControlPlane, Operands } from '../src/operands.ts'
import { createMemoryMoves } from './memory-moves.ts'

type HeldTable = {
  state: 'live' | 'retained'
  uid: string
  generation: number
  definition: Omit<TableDefinition, 'version'>
  version: number
  topic: string
  /** With how many replicas of each slot it began, on the first shards. */
  replicas: number
}
type Busy = Readonly<{
  applyShare?: number
  scanShare?: number
  rowsPerSecond?: number
  topKeys?: Array<Readonly<{ key: string; share: number }>>
}>
export type ControlPlaneCall = Readonly<{ method: string; uid: string; policy?: DeletionPolicy }>

/**
 * The control plane's decisions about who holds what (workloads/control-plane: decide-put, delete-table, delete-cluster),
 * without PostgreSQL and Kafka. `away` makes it unreachable, `around` sees every write.
 */
export function createMemoryControlPlane(clock: Pick<Clock, 'monotonicMs'>) {
  const state = {
    clusterUid: '',
    generation: 0,
    shards: 0,
    drained: [] as number[],
    /** Shards that said hello and were not retired since. */
    registered: new Set<number>(),
    replicationFactor: 0,
    tables: new Map<string, HeldTable>(),
    topics: new Set<string>(),
    schema: true,
  }
  const scene = {
    away: false,
    kafkaTrouble: undefined as Readonly<{ reason: string; message: string }> | undefined,
    serving: true,
    freshnessUs: 500_000n as bigint | undefined,
    /** Shards tell what they hold; those of `behind` have not read the log's end. */
    reporting: false,
    behind: new Set<number>(),
    /** Shards that have not read the newest map. */
    unheard: new Set<number>(),
    /** Bytes that each replica holds, and that each shard may hold; 0: nobody says. */
    replicaBytes: 0n,
    shardBytesMax: 0n,
    /** Free bytes and size of each shard's volume. */
    volume: { volumeBytesFree: 0n, volumeBytesMax: 0n },
    /** What every replica of a slot takes, by `namespace.table/slot`. */
    busy: new Map<string, Busy>(),
  }
  let reports = 0
  const calls: ControlPlaneCall[] = []
  const hooks: { around: <Answer>(call: ControlPlaneCall, work: () => Answer) => Answer | Promise<Answer> } =
    {
      around: (_call, work) => work(),
    }
  const answer = async <Answer>(call: ControlPlaneCall, work: () => Answer): Promise<Answer> => {
    calls.push(call)
    if (scene.away) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'demo-control-plane did not answer')
    return hooks.around(call, work)
  }
  const moves = createMemoryMoves(answer, clock.monotonicMs)
  const holders = () => holdersOf(state, moves.placed)
  const controlPlane: ControlPlane = {
    ...moves.calls,
    putCluster: ({
      uid = '',
      generation = 0n,
      shards = 0,
      replicationFactor = 0,
      shrink = false,
      drained,
      leaderEpoch,
    }) =>
      answer({ method: 'putCluster', uid }, () => {
        moves.require(leaderEpoch)
        if (state.clusterUid !== '' && state.clusterUid !== uid) throw nameTaken(state.clusterUid)
        const used = 1 + Math.max(-1, ...holders())
        const emptied = [...(drained?.shards ?? state.drained)]
        const kept = shrink ? shards : Math.max(shards, Math.min(state.shards, used))
        for (const { planId, move } of moves.open()) {
          const reason = moves.state.plans.get(planId)?.[0]?.reason
          const mayHold = (shard: number) => shard >= 0 && shard < kept && !emptied.includes(shard)
          const unasked = reason === 'RemoveShards' && mayHold(move.from)
          const refactored = replicationFactor !== state.replicationFactor && Math.min(move.from, move.to) < 0
          if ((move.to >= 0 && !mayHold(move.to)) || unasked || refactored) moves.cancel(move)
        }
        for (let shard = 0; shard < shards; shard++) state.registered.add(shard)
        Object.assign(state, {
          clusterUid: uid,
          generation: Number(generation),
          shards: kept,
          drained: emptied,
          replicationFactor,
          schema: true,
        })
        return create(PutClusterResponseSchema, {})
      }),
    retireShards: ({ leaderEpoch, shards = [] }) =>
      answer({ method: 'retireShards', uid: shards.join() }, () => {
        moves.require(leaderEpoch)
        for (const shard of shards) {
          if (holders().includes(shard))
            throw new TrueNowError('TN_MOVE_REFUSED', `Shard ${shard} cannot be retired: it holds a replica.`)
          state.registered.delete(shard)
          for (const { move } of moves.open())
            if (move.phase === MovePhase.DRAINING && move.from === shard) move.phase = MovePhase.DONE
        }
        return create(RetireShardsResponseSchema, {})
      }),
    putTable: ({ uid = '', generation = 0n, definitionJson = '', leaderEpoch }) =>
      answer({ method: 'putTable', uid }, () => {
        moves.require(leaderEpoch)
        const definition = JSON.parse(definitionJson) as HeldTable['definition']
        const name = `${definition.namespace}.${definition.name}`
        const held = state.tables.get(name)
        if (state.clusterUid === '')
          throw new TrueNowError('TN_CATALOG_UNAVAILABLE', 'No cluster is declared yet.')
        if (held?.state === 'live' && held.uid !== uid) throw nameTaken(held.uid)
        const changed = held !== undefined && JSON.stringify(held.definition) !== definitionJson
        const version = (held?.version ?? 1) + (changed ? 1 : 0)
        const topic = `truenow.apps.demo.${name}`
        state.topics.add(topic)
        state.tables.set(name, {
          state: 'live',
          uid,
          generation: Number(generation),
          definition,
          version,
          topic,
          replicas: held?.replicas ?? state.replicationFactor,
        })
        const slotsReady = scene.serving ? definition.slots : 0
        return create(PutTableResponseSchema, { topic, version, slotsReady, slots: definition.slots })
      }),
    deleteTable: ({ table, uid = '', policy = DeletionPolicy.UNSPECIFIED, leaderEpoch }) =>
      answer({ method: 'deleteTable', uid, policy }, () => {
        moves.require(leaderEpoch)
        const name = `${table?.namespace}.${table?.name}`
        const held = state.tables.get(name)
        if (held === undefined) return create(DeleteTableResponseSchema, {})
        if (held.uid !== uid)
          return create(DeleteTableResponseSchema, {
            kept: [`table ${name}, which belongs to another Table object`],
          })
        if (policy !== DeletionPolicy.DELETE) {
          held.state = 'retained'
          return create(DeleteTableResponseSchema, { kept: [`topic ${held.topic}`] })
        }
        state.tables.delete(name)
        state.topics.delete(held.topic)
        return create(DeleteTableResponseSchema, {})
      }),
    deleteCluster: ({ uid = '', policy = DeletionPolicy.UNSPECIFIED, leaderEpoch }) =>
      answer({ method: 'deleteCluster', uid, policy }, () => {
        moves.require(leaderEpoch)
        const mine = state.clusterUid === uid
        const free = state.clusterUid === '' && state.tables.size === 0
        if (policy === DeletionPolicy.RETAIN) {
          if (state.clusterUid !== '' && !mine)
            return create(DeleteClusterResponseSchema, { kept: ['another’s'] })
          for (const held of state.tables.values()) held.state = 'retained'
          state.clusterUid = ''
          return create(DeleteClusterResponseSchema, { kept: ['catalog'] })
        }
        if (!mine && !free)
          return create(DeleteClusterResponseSchema, {
            kept: ['catalog and topics of another cluster object'],
          })
        state.topics.clear()
        state.tables.clear()
        Object.assign(state, { clusterUid: '', schema: false })
        return create(DeleteClusterResponseSchema, {})
      }),
    getPlacement: async () => {
      if (scene.away) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'demo-control-plane did not answer')
      const catalog = create(CatalogSnapshotSchema, catalogOf(state, scene.serving, moves))
      reports += 1
      return create(GetPlacementResponseSchema, {
        catalog,
        loads: scene.reporting ? loadsOf(catalog, reports, scene, moves.state.silent) : [],
        silentShards: [...moves.state.silent],
        openPlans: moves.openPlans(),
        openMoves: moves.open().map(({ planId, move }) => ({ planId, ...move })),
        ...(scene.kafkaTrouble === undefined ? {} : { kafkaTrouble: scene.kafkaTrouble }),
      })
    },
    close: () => {},
  }
  const operands: Operands = {
    credentials: createTlsCredentials, // Of one operator: createOperator of scene.ts keeps them.
    controlPlane: () => controlPlane,
    watermark: () => ({
      getFreshness: async () => {
        if (scene.away) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'demo-watermark did not answer')
        const { freshnessUs } = scene
        const tables = freshnessUs === undefined ? [{}] : [{ freshnessUs }]
        return create(GetFreshnessResponseSchema, { tables })
      },
      close: () => {},
    }),
    forget: () => void calls.push({ method: 'forget', uid: '' }),
    close: async () => {},
  }
  return { state, scene, calls, hooks, operands, moves: moves.state }
}

const nameTaken = (uid: string) =>
  new TrueNowError('TN_TABLE_CONFLICT', `NameTaken: it belongs to another object (uid ${uid}).`, {
    details: { reason: 'NameTaken', uid },
  })

type Placed = (table: string, slot: number, first: readonly number[]) => readonly number[]
type Between = (
  table: string,
  slot: number,
) => ReadonlyArray<Readonly<{ shard: number; state: ReplicaState }>>
type Held = Readonly<{
  tables: ReadonlyMap<string, HeldTable>
  replicationFactor: number
  shards: number
  drained: readonly number[]
  registered: ReadonlySet<number>
}>

type Told = Readonly<{
  behind: ReadonlySet<number>
  unheard: ReadonlySet<number>
  replicaBytes: bigint
  shardBytesMax: bigint
  volume: Readonly<{ volumeBytesFree: bigint; volumeBytesMax: bigint }>
  busy: ReadonlyMap<string, Busy>
}>

/** A report of each shard, later than any before: of all that it holds at once, and under the newest map unless it is silent. */
function loadsOf(
  { tables, shards, revision }: CatalogSnapshot,
  reportedAtUs: number,
  { behind, unheard, replicaBytes, shardBytesMax, volume, busy }: Told,
  silent: ReadonlySet<number>,
) {
  return shards.map(({ shard, incarnation }) => {
    const slots = tables.flatMap(({ versionsJson, slots: all }) => {
      const { namespace, name } = JSON.parse(versionsJson[0] ?? '{}') as { namespace: string; name: string }
      const held = all.filter(({ replicas }) => replicas.some((replica) => replica.shard === shard))
      return held.map(({ slot, epoch }) => ({
        table: { namespace, name },
        slot,
        epoch,
        cursor: { offset: behind.has(shard) ? 10n : 99n },
        endOffset: 100n,
        progressedAtUs: 1n,
        residentBytes: replicaBytes,
        ...busy.get(`${namespace}.${name}/${slot}`),
      }))
    })
    return {
      shard,
      incarnation,
      reportedAtUs: BigInt(reportedAtUs),
      slots,
      memoryBytes: BigInt(slots.length) * replicaBytes,
      memoryBytesMax: shardBytesMax,
      ...volume,
      catalogRevision: silent.has(shard) || unheard.has(shard) ? revision - 1n : revision,
      processId: 'p',
      registeredProcessId: 'p',
    }
  })
}

const holdersOf = ({ tables }: Held, placed: Placed): number[] =>
  [...tables].flatMap(([name, { definition, replicas, state }]) =>
    state !== 'live'
      ? []
      : Array.from({ length: definition.slots }, (_, slot) => placed(name, slot, below(replicas))).flat(),
  )

const below = (length: number): number[] => Array.from({ length }, (_, index) => index)

function catalogOf(
  { tables, replicationFactor, shards, drained, registered }: Held,
  serving: boolean,
  { placed, between }: Readonly<{ placed: Placed; between: Between }>,
) {
  const state = serving ? ReplicaState.SERVING : ReplicaState.JOINING
  return {
    revision: 7n,
    replicationFactor,
    shardCount: shards,
    drainedShards: [...drained],
    shards: [...registered].toSorted((a, b) => a - b).map((shard) => ({ shard, incarnation: 1n })),
    tables: [...tables.values()]
      .filter((table) => table.state === 'live')
      .map(({ uid, topic, definition, version, replicas }) => ({
        uid,
        topic,
        versionsJson: [JSON.stringify({ ...definition, version })],
        slots: Array.from({ length: definition.slots }, (_, slot) => {
          const name = `${definition.namespace}.${definition.name}`
          const settled = placed(name, slot, below(replicas)).map((shard) => ({ shard, state }))
          const all = [...settled, ...between(name, slot)].toSorted((a, b) => a.shard - b.shard)
          return { slot, epoch: 1n, replicas: all.map((one) => ({ ...one, incarnation: 1n })) }
        }),
      })),
  }
}

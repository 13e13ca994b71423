import { create } from '@bufbuild/protobuf'
import type { Clock } from '@truenow/chassis/clock.ts'
import { createTlsCredentials } from '@truenow/chassis/tls-credentials.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  DeleteClusterResponseSchema,
  DeleteTableResponseSchema,
  DeletionPolicy,
  GetPlacementResponseSchema,
  PutClusterResponseSchema,
  PutTableResponseSchema,
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
}
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
    replicationFactor: 0,
    tables: new Map<string, HeldTable>(),
    topics: new Set<string>(),
    schema: true,
  }
  const scene = {
    away: false,
    serving: true,
    freshnessUs: 500_000n as bigint | undefined,
    /** Shards tell what they hold; those of `behind` have not read the log's end. */
    reporting: false,
    behind: new Set<number>(),
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
  const controlPlane: ControlPlane = {
    ...moves.calls,
    putCluster: ({ uid = '', generation = 0n, shards = 0, replicationFactor = 0, leaderEpoch }) =>
      answer({ method: 'putCluster', uid }, () => {
        moves.require(leaderEpoch)
        if (state.clusterUid !== '' && state.clusterUid !== uid) throw nameTaken(state.clusterUid)
        Object.assign(state, {
          clusterUid: uid,
          generation: Number(generation),
          shards,
          replicationFactor,
          schema: true,
        })
        return create(PutClusterResponseSchema, {})
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
      const catalog = catalogOf(state, scene.serving, moves.placed)
      reports += 1
      return create(GetPlacementResponseSchema, {
        catalog,
        loads: scene.reporting ? loadsOf(catalog, reports, scene.behind) : [],
        openPlans: moves.openPlans(),
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

/** A report of each shard, later than any before. */
function loadsOf(
  { tables, shards }: ReturnType<typeof catalogOf>,
  reportedAtUs: number,
  behind: ReadonlySet<number>,
) {
  return shards.map(({ shard }) => ({
    shard,
    incarnation: 1n,
    reportedAtUs: BigInt(reportedAtUs),
    slots: tables.flatMap(({ versionsJson, slots }) => {
      const { namespace, name } = JSON.parse(versionsJson[0] ?? '{}') as { namespace: string; name: string }
      return slots
        .filter(({ replicas }) => replicas.some((replica) => replica.shard === shard))
        .map(({ slot, epoch }) => ({
          table: { namespace, name },
          slot,
          epoch,
          cursor: { offset: behind.has(shard) ? 10n : 99n },
          endOffset: 100n,
          progressedAtUs: 1n,
        }))
    }),
  }))
}

function catalogOf(
  {
    tables,
    replicationFactor,
    shards,
  }: Readonly<{ tables: ReadonlyMap<string, HeldTable>; replicationFactor: number; shards: number }>,
  serving: boolean,
  placed: (table: string, slot: number, shard: number) => number,
) {
  const state = serving ? ReplicaState.SERVING : ReplicaState.JOINING
  return {
    replicationFactor,
    shards: Array.from({ length: shards }, (_, shard) => ({ shard })),
    tables: [...tables.values()]
      .filter((table) => table.state === 'live')
      .map(({ uid, topic, definition, version }) => ({
        uid,
        topic,
        versionsJson: [JSON.stringify({ ...definition, version })],
        slots: Array.from({ length: definition.slots }, (_, slot) => ({
          slot,
          epoch: 1n,
          replicas: Array.from({ length: replicationFactor }, (_, shard) => ({
            shard: placed(`${definition.namespace}.${definition.name}`, slot, shard),
            incarnation: 1n,
            state,
          })),
        })),
      })),
  }
}

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { PostgresPort, Query } from '@truenow/chassis/postgres-port.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  AdvanceMovesRequestSchema,
  DeleteClusterRequestSchema,
  DeleteTableRequestSchema,
  DeletionPolicy,
  GrantLeaderRequestSchema,
  MovePhase,
  MovesRequestSchema,
  type MovesResponse,
  PlanMovesRequestSchema,
  PutClusterRequestSchema,
  PutTableRequestSchema,
  RegisterShardRequestSchema,
  ReportShardRequestSchema,
  RetireShardsRequestSchema,
  WatchMovesRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState, SlotStateSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { topicName } from '@truenow/contracts/topics.ts'
import { NOBODY } from '@truenow/kernels/sharding/move-protocol.ts'
import { DRAIN_GRACE_MS } from '../src/advance-moves.ts'
import { LEADER_CLAIM_SECONDS } from '../src/grant-leader.ts'
import type { CasePorts } from './catalog.cases.ts'
import { openCatalog } from './open-catalog.ts'

const refused = (code: string, says: RegExp) => (error: unknown) =>
  error instanceof TrueNowError && error.code === code && says.test(error.message)
const definitionJson = JSON.stringify({
  namespace: 'production',
  name: 'events',
  columns: [{ name: 'items', type: 'int64', nullable: true }],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 2,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 10_000_000,
  dedupWindowUs: 600_000_000,
  maxFutureSkewUs: 5_000_000,
  idleTimeoutUs: 5_000_000,
  onMemoryFull: 'Evict',
})
const TABLE = { namespace: 'production', name: 'events' }
const CLUSTER = { uid: 'c', generation: 1n, shards: 3, replicationFactor: 2 }
const MINUTE_US = 60_000_000
const SHARDS = 3
const STATES = Object.fromEntries(Object.entries(ReplicaState).map(([name, number]) => [number, name]))
const PHASES = Object.fromEntries(Object.entries(MovePhase).map(([name, number]) => [number, name]))
const phasesOf = ({ moves }: MovesResponse) => moves.map(({ phase }) => PHASES[phase])

/** The protocol as the Catalog service keeps it, for any implementation of the two ports. */
type Ports = Omit<CasePorts, 'committed'>

export function movesCases(name: string, openPorts: () => Promise<Ports>): void {
  describe(`moves on ${name}`, () => {
    let ports: Ports
    let clusters = 0
    const closers: Array<() => Promise<void>> = []
    before(async () => {
      ports = await openPorts()
    })
    after(async () => {
      for (const close of closers.toReversed()) await close()
      await ports.close()
    })

    /** A catalog of its own with three shards that do as they are told, and a clock that stands still. */
    async function world(postgres: PostgresPort = ports.postgres, shards = SHARDS) {
      let nowUs = Date.now() * 1_000
      const clock = { nowUs: () => nowUs, monotonicMs: () => nowUs / 1_000 }
      const name = `moves-${++clusters}-${process.pid}`
      const { parts, service } = await openCatalog(ports, { cluster: name, clock, pollMs: 60_000, postgres })
      const { follower, store } = parts
      closers.push(follower.close)
      const declare = (more: object = {}) => {
        const cluster = { ...CLUSTER, shards, ...more }
        return service.putCluster(create(PutClusterRequestSchema, cluster))
      }
      await declare()
      await service.putTable(create(PutTableRequestSchema, { uid: 't', generation: 1n, definitionJson }))
      const incarnations = new Map<number, bigint>()
      const processes = new Map<number, string>()

      const register = async (shard: number, processId: string, volume: 'kept' | 'empty') => {
        const kept = volume === 'kept' && incarnations.has(shard)
        const { incarnation } = await service.registerShard(
          create(RegisterShardRequestSchema, {
            shard,
            processId,
            address: 'shard:9091',
            volumeIncarnation: kept ? (incarnations.get(shard) ?? 0n) : 0n,
            volumeCatalogId: kept ? (follower.current()?.catalogId ?? '') : '',
          }),
        )
        incarnations.set(shard, incarnation)
        processes.set(shard, processId)
      }
      /** What the catalog assigns, caught up; `more` changes what is said. */
      const said = (shard: number, more: MessageInitShape<typeof ReportShardRequestSchema> = {}) => {
        const snapshot = follower.current()
        const slots = (snapshot?.tables[0]?.slots ?? []).filter(({ replicas }) =>
          replicas.some((one) => one.shard === shard && one.incarnation === incarnations.get(shard)),
        )
        return create(ReportShardRequestSchema, {
          shard,
          incarnation: incarnations.get(shard) ?? 0n,
          processId: processes.get(shard) ?? '',
          catalogRevision: snapshot?.revision ?? 0n,
          memoryBytesMax: 1_000n,
          slots: slots.map(
            ({ slot, epoch }) =>
            create(SlotStateSchema, { table: TABLE, slot, epoch, cursor: { offset: -1n }, endOffset: 0n, progressedAtUs: 1n }), // biome-ignore format: one line
          ),
          ...more,
        })
      }
      const report = (shard: number, more: MessageInitShape<typeof ReportShardRequestSchema> = {}) =>
        service.reportShard(said(shard, more))
      const reportAll = async () => {
        for (let shard = 0; shard < shards; shard++) await report(shard)
      }
      const slots = () =>
        (follower.current()?.tables[0]?.slots ?? []).map(({ epoch, replicas }) => ({
          epoch: Number(epoch),
          replicas: replicas.map(({ shard, state }) => `${shard} ${STATES[state]}`),
        }))
      return {
        identity: parts.identity,
        service,
        store,
        follower,
        register,
        said,
        report,
        reportAll,
        slots,
        declare,
        retire: (leaderEpoch: bigint, ...gone: number[]) =>
          service.retireShards(create(RetireShardsRequestSchema, { leaderEpoch, shards: gone })),
        advanceClock: (us: number) => {
          nowUs += us
        },
        grant: (transitions: number, holder = `operator-${transitions}`, operator = 'truenow/operator') =>
          service
            .grantLeader(
              create(GrantLeaderRequestSchema, { operator, holder, leaseCreatedAtUs: 5n, leaseTransitions: BigInt(transitions) }), // biome-ignore format: one line
            )
            .then(({ leaderEpoch }) => leaderEpoch),
        plan: (
          leaderEpoch: bigint,
          moves: ReadonlyArray<readonly [slot: number, from: number, to: number]>,
          planId = 'plan-1',
          reason = 'Balance',
        ) =>
          service.planMoves(
            create(PlanMovesRequestSchema, {
              leaderEpoch,
              planId,
              reason,
              askedBy: 'test',
              moves: moves.map(([slot, from, to]) => ({ table: TABLE, slot, from, to, bytes: 10n })),
            }),
          ),
        approve: (leaderEpoch: bigint, planId = 'plan-1') =>
          service.approveMoves(create(MovesRequestSchema, { leaderEpoch, planId })),
        cancel: (leaderEpoch: bigint, planId = 'plan-1') =>
          service.cancelMoves(create(MovesRequestSchema, { leaderEpoch, planId })),
        advance: (leaderEpoch: bigint, concurrentMoves = 2, planId = 'plan-1') =>
          service.advanceMoves(create(AdvanceMovesRequestSchema, { leaderEpoch, planId, concurrentMoves })),
      }
    }
    type World = Awaited<ReturnType<typeof world>>

    /** Every replica serves; slot 0 moves from its second shard to the one that does not hold it. */
    async function serving(at: World, shards = SHARDS) {
      for (let shard = 0; shard < shards; shard++) await at.register(shard, `p${shard}`, 'kept')
      for (let round = 0; round < 2; round++) await at.reportAll()
      const holders = at.slots().map(({ replicas }) => replicas.map((one) => Number(one.split(' ')[0])))
      const free = holders.map((held) => [0, 1, 2].find((shard) => !held.includes(shard)) ?? -1)
      assert.ok(at.slots().every(({ replicas }) => replicas.length === 2 && replicas.every((one) => one.endsWith('SERVING')))) // biome-ignore format: one line
      const move = (slot: number) => [slot, holders[slot]?.[1] ?? -1, free[slot] ?? -1] as const
      return { move, from: holders[0]?.[1] ?? -1, stays: holders[0]?.[0] ?? -1, to: free[0] ?? -1 }
    }

    test('a move goes its way: one more copy, then the change of who serves, then one fewer, two serving throughout', async () => {
      const at = await world()
      const { move, from, stays, to } = await serving(at)
      const epoch = at.slots()[0]?.epoch ?? 0
      const leader = await at.grant(0)
      assert.deepEqual(phasesOf(await at.plan(leader, [move(0)])), ['PLANNED'])
      assert.deepEqual(phasesOf(await at.advance(leader)), ['PLANNED'], 'not approved')
      await at.approve(leader)
      const states = (...all: string[]) => assert.deepEqual(at.slots()[0]?.replicas, all.toSorted())

      assert.deepEqual(phasesOf(await at.advance(leader)), ['BOOTSTRAPPING'])
      states(`${stays} SERVING`, `${from} SERVING`, `${to} JOINING`)
      assert.equal(at.slots()[0]?.epoch, epoch)
      assert.deepEqual(phasesOf(await at.advance(leader)), ['BOOTSTRAPPING'], 'only its report goes on')

      await at.report(to)
      assert.deepEqual(phasesOf(await at.advance(leader)), ['SERVING'])
      states(`${stays} SERVING`, `${from} LEAVING`, `${to} SERVING`)
      const served = at.slots()[0]?.epoch ?? 0
      assert.ok(served > epoch)
      assert.deepEqual(phasesOf(await at.cancel(leader)), ['SERVING'], 'too late')

      assert.match((await at.advance(leader)).moves[0]?.message ?? '', /still tells who asks it/)
      at.advanceClock(DRAIN_GRACE_MS * 1_000)
      const stale = at.said(from)
      assert.deepEqual(phasesOf(await at.advance(leader)), ['DRAINING'])
      states(`${stays} SERVING`, `${to} SERVING`)
      assert.deepEqual(phasesOf(await at.advance(leader)), ['DRAINING'], 'silence is no proof')
      await at.report(from, { ...stale, slots: [] })
      assert.deepEqual(phasesOf(await at.advance(leader)), ['DRAINING'], 'nor is what was said before')
      await at.report(from)
      const { moves } = await at.advance(leader)
      assert.deepEqual([moves[0]?.phase, moves[0]?.epoch], [MovePhase.DONE, BigInt(served)])
      assert.ok((moves[0]?.endedAtUs ?? 0n) > (moves[0]?.startedAtUs ?? 0n))
      const audit = await at.store.query<{ detail: string }>(
        "SELECT detail FROM $schema.audit WHERE action = 'advance-move' ORDER BY audit_id",
      )
      assert.deepEqual(
        audit.map(({ detail }) => detail.split(':')[0]),
        ['Bootstrapping', 'CaughtUp', 'Serving', 'Draining', 'Done'],
      )
    })

    test('a leader that was paused is refused, also one that won first and asks last; so is another operator', async () => {
      const at = await world()
      const { move } = await serving(at)
      const old = await at.grant(1)
      assert.equal(await at.grant(1), old, 'the answer was lost: the same again')
      const next = await at.grant(2)
      assert.ok(next > old)
      const stale = (says: RegExp) => refused('TN_LEADER_STALE', says)
      await assert.rejects(at.plan(old, [move(0)]), stale(/leader epoch 1 is not 2/))
      await assert.rejects(at.advance(old), stale(/leader epoch 1 is not 2/))
      await assert.rejects(at.cancel(old), stale(/leader epoch 1/))
      await assert.rejects(at.approve(old), stale(/leader epoch 1/))
      await assert.rejects(at.advance(next + 1n), stale(/leader epoch 3/))
      await assert.rejects(at.grant(1), stale(/term 1 of operator-1 is not newer than term 2/))
      await assert.rejects(at.grant(2, 'operator-x'), stale(/not newer/))
      await assert.rejects(
        at.grant(9, 'other', 'apps/operator'),
        stale(/operator truenow\/operator commanded/),
      )
      await at.store.query('UPDATE $schema.catalog SET leader_heard_at = now() - make_interval(secs => $1)', [
        LEADER_CLAIM_SECONDS,
      ])
      assert.ok((await at.grant(0, 'other', 'apps/operator')) > next)
      await assert.rejects(at.plan(next, [move(0)]), stale(/leader epoch/))
    })

    test('so is everything else that an operator declares or ends; without an epoch only where no leader speaks', async () => {
      const at = await world()
      const old = await at.grant(1)
      const next = await at.grant(2)
      const commands = (leaderEpoch: bigint) => [
        () => at.service.putCluster(create(PutClusterRequestSchema, { ...CLUSTER, generation: 2n, leaderEpoch })), // biome-ignore format: one line
        () => at.service.putTable(create(PutTableRequestSchema, { uid: 'u', generation: 1n, definitionJson: other, leaderEpoch })), // biome-ignore format: one line
        () => at.service.deleteTable(create(DeleteTableRequestSchema, { table: TABLE, uid: 't', policy: DeletionPolicy.DELETE, leaderEpoch })), // biome-ignore format: one line
        () => at.service.deleteCluster(create(DeleteClusterRequestSchema, { uid: 'c', policy: DeletionPolicy.DELETE, leaderEpoch })), // biome-ignore format: one line
      ]
      const other = JSON.stringify({ ...JSON.parse(definitionJson), name: 'other' })
      const before = await at.service.getPlacement(undefined)
      for (const epoch of [old, next + 1n, 0n])
        for (const command of commands(epoch))
          await assert.rejects(command(), refused('TN_LEADER_STALE', /refused/))
      const after = await at.service.getPlacement(undefined)
      assert.equal(after.catalog?.revision, before.catalog?.revision)
      assert.equal(
        await ports.kafka.describeTopic(topicName(at.identity, TABLE.namespace, 'other')),
        undefined,
      )

      await at.store.query('UPDATE $schema.catalog SET leader_heard_at = now() - make_interval(secs => $1)', [
        LEADER_CLAIM_SECONDS,
      ])
      for (const epoch of [old, next + 1n])
        for (const command of commands(epoch))
          await assert.rejects(command(), refused('TN_LEADER_STALE', /refused/))
      for (const command of commands(0n)) await command()
      assert.equal(at.follower.state(), 'gone')
    })

    test('a catalog that was deleted is made anew for a leader that asks', async () => {
      const at = await world()
      const epoch = await at.grant(1)
      await at.service.deleteCluster(create(DeleteClusterRequestSchema, { uid: 'c', policy: DeletionPolicy.DELETE, leaderEpoch: epoch })) // biome-ignore format: one line
      const put = (leaderEpoch: bigint) =>
        at.service.putCluster(create(PutClusterRequestSchema, { ...CLUSTER, leaderEpoch }))
      const granted = await at.grant(0)
      await put(granted)
      assert.equal((await at.service.getPlacement(undefined)).catalog?.tables.length, 0)
      await assert.rejects(put(epoch + 7n), refused('TN_LEADER_STALE', /leader epoch/))
    })

    test('a plan is written whole or not at all, and stands once it was approved', async () => {
      const at = await world()
      const { move, from, to } = await serving(at)
      const leader = await at.grant(0)
      const no = (says: RegExp) => refused('TN_MOVE_REFUSED', says)
      await assert.rejects(at.plan(leader, [move(0), [1, 9, to]]), no(/Move 1, .*shard 9 does not hold it/))
      await assert.rejects(at.plan(leader, [[0, from, from]]), no(/holds it already/))
      await assert.rejects(at.plan(leader, [[0, from, 7]]), no(/shard 7 is not one of the 3/))
      await assert.rejects(at.plan(leader, [[5, from, to]]), no(/no such slot/))
      await assert.rejects(at.plan(leader, [move(0), move(0)]), no(/moves the slot twice/))
      assert.deepEqual(phasesOf(await at.plan(leader, [move(1)])), ['PLANNED'])
      assert.deepEqual(
        (await at.plan(leader, [move(0)])).moves.map(({ slot }) => slot),
        [0],
      )
      await assert.rejects(at.plan(leader, [move(0)], 'plan-2'), no(/has an open move already/))
      await at.approve(leader)
      assert.deepEqual(
        (await at.plan(leader, [move(1)])).moves.map(({ slot }) => slot),
        [0],
      )
    })

    test('at most so many at once, none while paused, and none without room or to a shard that is silent', async () => {
      const at = await world()
      const { move, to } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0)])
      await at.approve(leader)
      assert.deepEqual(phasesOf(await at.advance(leader, 0)), ['PLANNED'])
      await at.report(to, { memoryBytes: 995n })
      assert.match(
        (await at.advance(leader)).moves[0]?.message ?? '',
        /has 5 of 1000 bytes free and needs 10/,
      )
      await at.report(to, { volumeBytesFree: 19n, volumeBytesMax: 100n })
      assert.match(
        (await at.advance(leader)).moves[0]?.message ?? '',
        /the volume of shard \d has 19 bytes free and needs 20; raise storage\.size/,
      )
      at.advanceClock(MINUTE_US)
      assert.match((await at.advance(leader)).moves[0]?.message ?? '', /has not reported for 10 s/)
      await at.cancel(leader)
      const second = 'plan-2'
      await at.reportAll()
      await at.plan(leader, [move(0), move(1)], second)
      await at.approve(leader, second)
      const begun = await at.advance(leader, 1, second)
      assert.deepEqual(phasesOf(begun), ['BOOTSTRAPPING', 'PLANNED'])
      assert.match(begun.moves[1]?.message ?? '', /waits for its turn/)
      await at.report(to)
      assert.deepEqual(phasesOf(await at.advance(leader, 0, second)), ['CAUGHT_UP', 'PLANNED'])
      assert.deepEqual(phasesOf(await at.advance(leader, 1, second)), ['SERVING', 'PLANNED'])
    })

    test('cancelled before it serves, the extra copy goes; a report of it does not count for the next move', async () => {
      const at = await world()
      const { move, from, stays, to } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0)])
      await at.approve(leader)
      await at.advance(leader)
      const ofFirst = at.said(to)
      await at.report(to, ofFirst)
      assert.deepEqual(phasesOf(await at.cancel(leader)), ['CANCELLED'])
      assert.deepEqual(phasesOf(await at.cancel(leader)), ['CANCELLED'])
      assert.deepEqual(at.slots()[0]?.replicas, [`${stays} SERVING`, `${from} SERVING`].toSorted())
      await at.plan(leader, [move(0)], 'plan-2')
      await at.approve(leader, 'plan-2')
      await at.advance(leader, 2, 'plan-2')
      await at.report(to, ofFirst)
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'plan-2')), ['BOOTSTRAPPING'])
      await at.report(to)
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'plan-2')), ['SERVING'])
    })

    test('volumes are lost on the way: the new holder begins anew, or the old one serves again; a lost old one has left', async () => {
      const at = await world()
      const { move, from, stays, to } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0)])
      await at.approve(leader)
      await at.advance(leader)
      await at.report(to)
      await at.register(to, 'again', 'empty')
      assert.deepEqual(phasesOf(await at.advance(leader)), ['BOOTSTRAPPING'], 'another had proved it')
      await at.report(to)
      assert.deepEqual(phasesOf(await at.advance(leader)), ['SERVING'])
      await at.register(to, 'once more', 'empty')
      const back = [`${stays} SERVING`, `${from} SERVING`, `${to} JOINING`].toSorted()
      assert.deepEqual(at.slots()[0]?.replicas, back)
      await at.report(to)
      assert.deepEqual(phasesOf(await at.advance(leader)), ['SERVING'])
      await at.register(from, 'again', 'empty')
      assert.deepEqual(phasesOf(await at.advance(leader)), ['DONE'])
      assert.deepEqual(at.slots()[0]?.replicas, [`${stays} SERVING`, `${to} SERVING`].toSorted())
    })

    test('a replica that holds other rows at the same offset never takes over', async () => {
      const at = await world()
      const { move, stays, to } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0)])
      await at.approve(leader)
      await at.advance(leader)
      const hashed = (shard: number, stateHash: string) => {
        const { slots } = at.said(shard)
        return at.report(shard, { slots: slots.map((one) => ({ ...one, stateHash, hashOffset: 256n })) })
      }
      await hashed(stays, 'aa')
      await hashed(to, 'bb')
      const answer = await at.advance(leader)
      assert.deepEqual(phasesOf(answer), ['CAUGHT_UP'])
      assert.match(answer.moves[0]?.message ?? '', /hold different rows at offset 256; cancel the move/)
      await hashed(to, 'aa')
      assert.deepEqual(phasesOf(await at.advance(leader)), ['SERVING'])
    })

    test('a table that is retained or deleted ends its moves, and what is adopted later is placed whole', async () => {
      const at = await world()
      const { move } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0), move(1)])
      await at.approve(leader)
      await at.advance(leader, 1)
      await at.service.deleteTable(create(DeleteTableRequestSchema, { table: TABLE, uid: 't', policy: DeletionPolicy.RETAIN, leaderEpoch: leader })) // biome-ignore format: one line
      assert.deepEqual(phasesOf(await at.advance(leader)), ['CANCELLED', 'CANCELLED'])
      await at.service.putTable(
        create(PutTableRequestSchema, { uid: 't2', generation: 1n, definitionJson, leaderEpoch: leader }),
      )
      assert.ok(at.slots().every(({ replicas }) => replicas.length === 2))
      assert.deepEqual((await at.service.getPlacement(undefined)).openPlans, [])
    })

    test('one replica more, then one fewer: it is added before it counts, and goes only while the others answer', async () => {
      const at = await world()
      const { from, stays, to } = await serving(at)
      const leader = await at.grant(0)
      await at.declare({ replicationFactor: 3, leaderEpoch: leader })
      await at.plan(leader, [[0, NOBODY, to]], 'more', 'Repair')
      await at.approve(leader, 'more')
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'more')), ['BOOTSTRAPPING'])
      await at.report(to)
      const before = at.slots()[0]?.epoch ?? 0
      const added = await at.advance(leader, 2, 'more')
      assert.deepEqual(phasesOf(added), ['DONE'])
      assert.ok((at.slots()[0]?.epoch ?? 0) > before)
      assert.equal(Number(added.moves[0]?.epoch), at.slots()[0]?.epoch)
      const three = [`${from} SERVING`, `${stays} SERVING`, `${to} SERVING`].toSorted()
      assert.deepEqual(at.slots()[0]?.replicas, three)

      await at.declare({ replicationFactor: 2, leaderEpoch: leader })
      await at.plan(leader, [[0, from, NOBODY]], 'fewer', 'Repair')
      await at.approve(leader, 'fewer')
      at.advanceClock(MINUTE_US)
      assert.match(
        (await at.advance(leader, 2, 'fewer')).moves[0]?.message ?? '',
        /has not reported for 10 s/,
      )
      await at.reportAll()
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'fewer')), ['SERVING'])
      assert.ok(at.slots()[0]?.replicas.includes(`${from} LEAVING`))
      await at.register(to, 'lost', 'empty')
      assert.ok(at.slots()[0]?.replicas.includes(`${from} SERVING`), 'it is needed again')
      await at.reportAll()
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'fewer')), ['SERVING'])
      at.advanceClock(DRAIN_GRACE_MS * 1_000)
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'fewer')), ['DRAINING'])
      await at.report(from)
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'fewer')), ['DONE'])
      assert.deepEqual(at.slots()[0]?.replicas, [`${stays} SERVING`, `${to} SERVING`].toSorted())
    })

    test('a replica is not taken away while fewer others serve than there shall be; another factor undoes what does not serve', async () => {
      const at = await world()
      const { from, stays, to } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [[0, from, NOBODY]], 'fewer', 'Repair')
      await at.approve(leader, 'fewer')
      assert.match(
        (await at.advance(leader, 2, 'fewer')).moves[0]?.message ?? '',
        /1 other replicas serve, and 2 shall/,
      )
      await at.declare({ replicationFactor: 3, leaderEpoch: leader })
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'fewer')), ['CANCELLED'])
      await at.plan(leader, [[0, NOBODY, to]], 'more', 'Repair')
      await at.approve(leader, 'more')
      await at.advance(leader, 2, 'more')
      await at.declare({ replicationFactor: 2, leaderEpoch: leader })
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'more')), ['CANCELLED'])
      assert.deepEqual(at.slots()[0]?.replicas, [`${from} SERVING`, `${stays} SERVING`].toSorted())
    })

    test('shards that shall go are given nothing; moves to them are undone, and moves from them when they shall stay', async () => {
      const at = await world()
      const leader = await at.grant(0)
      for (let shard = 0; shard < SHARDS; shard++) await at.register(shard, `p${shard}`, 'kept')
      for (let round = 0; round < 2; round++) await at.reportAll()
      const holders = (slot: number) => (at.slots()[slot]?.replicas ?? []).map((one) => Number(one[0]))
      const slotOn = (shard: number) => [0, 1].find((slot) => holders(slot).includes(shard)) ?? -1
      const onLast = slotOn(2)
      const freeOf = (slot: number) => [0, 1, 2].find((shard) => !holders(slot).includes(shard)) ?? -1
      const other = 1 - onLast
      assert.ok(onLast >= 0)
      if (freeOf(other) === 2) {
        await at.plan(leader, [[other, holders(other)[0] ?? -1, 2]], 'even')
        await at.approve(leader, 'even')
        await at.advance(leader, 2, 'even')
      }
      await at.declare({ shards: 2, shrink: true, leaderEpoch: leader })
      assert.equal(at.follower.current()?.shardCount, 2)
      assert.ok(
        (await at.advance(leader, 2, 'even')).moves.every(({ phase }) => phase === MovePhase.CANCELLED),
      )
      const away = [onLast, 2, freeOf(onLast)] as const
      await at.plan(leader, [away], 'remove', 'RemoveShards')
      await at.approve(leader, 'remove')
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'remove')), ['BOOTSTRAPPING'])
      await at.declare({ shards: 3, leaderEpoch: leader })
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'remove')), ['CANCELLED'])
      assert.ok(holders(onLast).includes(2))
    })

    test('a drained shard is given nothing, by moves or by new tables; no longer drained, what moves away from it is undone', async () => {
      const at = await world()
      const leader = await at.grant(0)
      for (let shard = 0; shard < SHARDS; shard++) await at.register(shard, `p${shard}`, 'kept')
      for (let round = 0; round < 2; round++) await at.reportAll()
      const holders = (slot: number) => (at.slots()[slot]?.replicas ?? []).map((one) => Number(one[0]))
      const drained = 2
      const onIt = [0, 1].find((slot) => holders(slot).includes(drained)) ?? -1
      const free = [0, 1, 2].find((shard) => !holders(onIt).includes(shard)) ?? -1
      const drain = (...shards: number[]) => at.declare({ drained: { shards }, leaderEpoch: leader })
      assert.ok(onIt >= 0)
      await assert.rejects(drain(0, 1), refused('TN_REQUEST_INVALID', /of 3 2 are drained/))
      // A move on its way there is undone with the mark.
      const other = 1 - onIt
      if (!holders(other).includes(drained)) {
        await at.plan(leader, [[other, holders(other)[0] ?? -1, drained]], 'even')
        await at.approve(leader, 'even')
        await at.advance(leader, 2, 'even')
      }
      await drain(drained, drained)
      assert.deepEqual(at.follower.current()?.drainedShards, [drained])
      assert.ok(
        (await at.advance(leader, 2, 'even')).moves.every(({ phase }) => phase === MovePhase.CANCELLED),
      )
      await at.declare({ leaderEpoch: leader })
      assert.deepEqual(
        at.follower.current()?.drainedShards,
        [drained],
        'whoever does not speak of it changes nothing',
      )
      await assert.rejects(
        at.plan(leader, [[other, holders(other)[0] ?? -1, drained]], 'back'),
        refused(
          'TN_MOVE_REFUSED',
          holders(other).includes(drained) ? /holds it already/ : /shard 2 is drained/,
        ),
      )
      const more = { ...(JSON.parse(definitionJson) as object), name: 'more' }
      await at.service.putTable(create(PutTableRequestSchema, { uid: 'm', generation: 1n, definitionJson: JSON.stringify(more), leaderEpoch: leader })) // biome-ignore format: one line
      const placed = at.follower.current()?.tables.find(({ uid }) => uid === 'm')?.slots ?? []
      assert.ok(placed.length > 0)
      for (const { replicas } of placed)
        assert.deepEqual(replicas.map(({ shard }) => shard).toSorted(), [0, 1])

      await at.plan(leader, [[onIt, drained, free]], 'remove', 'RemoveShards')
      await at.approve(leader, 'remove')
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'remove')), ['BOOTSTRAPPING'])
      await drain()
      assert.deepEqual(at.follower.current()?.drainedShards, [])
      assert.deepEqual(phasesOf(await at.advance(leader, 2, 'remove')), ['CANCELLED'])
      assert.ok(holders(onIt).includes(drained))
    })

    test('a shard that is lost for good: its slots move without it, then it is forgotten; what comes back is empty', async () => {
      const at = await world()
      const { from, stays, to, move } = await serving(at)
      const leader = await at.grant(0)
      const refusedStill = refused('TN_MOVE_REFUSED', new RegExp(`shard ${from} holds a replica`))
      await assert.rejects(at.retire(leader, from), refusedStill)
      const others = [0, 1, 2].filter((shard) => shard !== from)
      const reportOthers = async () => {
        for (const shard of others) await at.report(shard)
      }
      const rows = [0, 1].filter((slot) => at.slots()[slot]?.replicas.includes(`${from} SERVING`))
      at.advanceClock(MINUTE_US)
      await reportOthers()
      const free = (slot: number) => others.find((shard) => !at.slots()[slot]?.replicas.includes(`${shard} SERVING`)) ?? -1 // biome-ignore format: one line
      await at.plan(leader, rows.map((slot) => [slot, from, free(slot)] as const), 'heal', 'Repair') // biome-ignore format: one line
      await at.approve(leader, 'heal')
      await at.advance(leader, 8, 'heal')
      await reportOthers()
      await at.advance(leader, 8, 'heal')
      at.advanceClock(DRAIN_GRACE_MS * 1_000)
      await reportOthers()
      const drained = await at.advance(leader, 8, 'heal')
      assert.ok(
        drained.moves.every(({ phase }) => phase === MovePhase.DRAINING),
        'its silence proves nothing',
      )
      const zombie = at.said(from)
      const volume = zombie.incarnation
      await at.retire(leader, from)
      await at.retire(leader, from)
      assert.ok((await at.advance(leader, 8, 'heal')).moves.every(({ phase }) => phase === MovePhase.DONE))
      await assert.rejects(at.report(from, zombie), refused('TN_SHARD_RETIRED', /register again/))
      await at.register(from, 'back', 'kept')
      assert.ok(at.said(from).incarnation > volume, 'its volume is nobody’s any more')
      assert.ok(at.slots().every(({ replicas }) => replicas.length === 2 && !replicas.some((one) => one.startsWith(`${from}`)))) // biome-ignore format: one line
      assert.deepEqual(move(0).slice(1), [from, to], `and ${stays} served all the time`)
      await assert.rejects(at.retire(0n, from), refused('TN_LEADER_STALE', /leader epoch 0/))
    })

    test('repair comes before balance: its plan undoes moves of the same slots that do not serve yet, and no others', async () => {
      const at = await world()
      const { move, from, to } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0), move(1)], 'even')
      await at.approve(leader, 'even')
      await at.advance(leader, 1, 'even')
      await at.plan(leader, [[0, from, to]], 'repair', 'Repair')
      assert.deepEqual(phasesOf(await at.advance(leader, 0, 'even')), ['CANCELLED', 'PLANNED'])
      assert.deepEqual(phasesOf(await at.advance(leader, 0, 'repair')), ['PLANNED'])
      await assert.rejects(
        at.plan(leader, [[0, from, to]], 'another', 'RemoveShards'),
        refused('TN_MOVE_REFUSED', /has an open move already/),
      )
    })

    test('WatchMoves: at once, then after every step; GetPlacement names the plans that are open', async () => {
      const at = await world()
      const { move } = await serving(at)
      const leader = await at.grant(0)
      await at.plan(leader, [move(0)])
      const stop = new AbortController()
      const seen: string[][] = []
      const watching = (async () => {
        for await (const moves of at.service.watchMoves(
          create(WatchMovesRequestSchema, { planId: 'plan-1' }),
          stop,
        )) {
          seen.push(phasesOf(moves).map(String))
          if (seen.length === 1) await at.approve(leader).then(() => at.advance(leader))
          if (seen.at(-1)?.[0] === 'BOOTSTRAPPING') stop.abort()
        }
      })()
      await watching
      assert.deepEqual(seen[0], ['PLANNED'])
      const { openPlans, openMoves } = await at.service.getPlacement(undefined)
      assert.deepEqual(openPlans, ['plan-1'])
      const [open] = openMoves
      assert.deepEqual([open?.slot, open?.from, open?.to, open?.phase], [...move(0), MovePhase.BOOTSTRAPPING])
    })

    test('the control plane dies before any write of a move: the repetition ends as if it had not', async () => {
      const fault: { crashAt?: number } = {}
      /** The whole way of a move, each call repeated until it was answered, as operator and shards do. */
      const story = async (at: World): Promise<number> => {
        const { move, from, to } = await serving(at)
        let crashes = 0
        const sure = async <T>(call: () => Promise<T>): Promise<T> => {
          for (;;) {
            try {
              return await call()
            } catch (error) {
              assert.match(String(error), /crash/)
              crashes += 1
              delete fault.crashAt
              await at.follower.refresh()
            }
          }
        }
        if (crashAt > 0) fault.crashAt = crashAt
        const leader = await sure(() => at.grant(0))
        await sure(() => at.plan(leader, [move(0)]))
        await sure(() => at.approve(leader))
        for (let round = 0; round < 8; round++) {
          const answer = await sure(() => at.advance(leader))
          if (phasesOf(answer)[0] === 'DONE') break
          await sure(() => at.report(to))
          at.advanceClock(DRAIN_GRACE_MS * 1_000)
          await sure(() => at.reportAll())
          await sure(() => at.report(from))
        }
        delete fault.crashAt
        await at.follower.refresh()
        return crashes
      }
      const end = async (at: World) => {
        const moves = await at.store.query<{ phase: string }>('SELECT phase FROM $schema.move')
        return { moves, replicas: at.slots().map(({ replicas }) => replicas) }
      }
      let crashAt = 0
      const whole = await world(faulty(ports.postgres, fault))
      assert.equal(await story(whole), 0)
      const expected = await end(whole)
      assert.deepEqual(expected.moves, [{ phase: 'Done' }])
      let crashes = 0
      for (crashAt = 1; ; crashAt++) {
        const at = await world(faulty(ports.postgres, fault))
        const hit = await story(at)
        assert.deepEqual(await end(at), expected, `crash before write ${crashAt}`)
        crashes += hit
        if (hit === 0) break
      }
      assert.ok(crashes >= 30, `only ${crashes} writes were there to crash at`)
    })
  })
}

/** The port, dying before the n-th write from now; a crash in a transaction rolls it back. */
function faulty(postgres: PostgresPort, fault: { crashAt?: number }): PostgresPort {
  const through =
    (query: Query): Query =>
    async (sql, parameters) => {
      const writes = /^\s*(LOCK|INSERT|UPDATE|DELETE|WITH)/.test(sql)
      if (writes && fault.crashAt !== undefined && --fault.crashAt === 0)
        throw new Error(`crash before ${sql}`)
      return query(sql, parameters)
    }
  return {
    ...postgres,
    query: through(postgres.query),
    transaction: (work) => postgres.transaction((query) => work(through(query))),
  }
}

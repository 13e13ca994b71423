import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import type { PostgresPort, Query } from '@truenow/chassis/postgres-port.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type CatalogSnapshot,
  DeleteClusterRequestSchema,
  DeleteTableRequestSchema,
  DeletionPolicy,
  type PutClusterRequest,
  PutClusterRequestSchema,
  PutTableRequestSchema,
  type RegisterShardRequest,
  RegisterShardRequestSchema,
  ReportShardRequestSchema,
  WatchCatalogRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import {
  ReplicaState,
  type SlotState,
  SlotStateSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { cursorGroupName, postgresSchemaName, topicName } from '@truenow/contracts/topics.ts'
import type { CatalogFollower } from '../src/catalog-follower.ts'
import { type CatalogService, createCatalogService } from '../src/catalog-service.ts'
import type { CatalogStore } from '../src/catalog-store.ts'
import { migrate } from '../src/migrate.ts'
import { MIGRATIONS } from '../src/migrations.ts'
import type { Parts } from '../src/parts.ts'
import { publishCursors } from '../src/publish-cursors.ts'
import { CLUSTER_CLAIM_SECONDS } from '../src/put-cluster.ts'
import type { TableDeclaration } from '../src/table-declaration.ts'
import { openCatalog } from './open-catalog.ts'

export type CasePorts = Readonly<{
  postgres: PostgresPort
  kafka: KafkaPort
  /** What the log's own tools say that a group has committed: partition to next offset. */
  committed: (group: string, topic: string) => Promise<ReadonlyMap<number, number>>
  close: () => Promise<void>
}>

type World = Readonly<{
  parts: Parts
  service: CatalogService
  store: CatalogStore
  follower: CatalogFollower
  kafka: KafkaPort
  topic: (name: string) => string
}>

/** Some fields of a message, as plain values. */
type Fields<Message> = Partial<
  Omit<Message, '$typeName' | '$unknown' | 'table' | 'cursor' | 'gaps' | 'topics'>
>

const declared: TableDeclaration = {
  namespace: 'production',
  name: 'events',
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'items', type: 'int64', nullable: true },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 4,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 10_000_000,
  dedupWindowUs: 600_000_000,
  maxFutureSkewUs: 5_000_000,
  idleTimeoutUs: 5_000_000,
  onMemoryFull: 'Evict',
}
const refused = (code: string, says: RegExp) => (error: unknown) =>
  error instanceof TrueNowError && error.code === code && says.test(error.message)

/** Every promise of the Catalog service, for any implementation of the two ports. */
export function catalogCases(name: string, openPorts: () => Promise<CasePorts>): void {
  describe(`control plane on ${name}`, () => {
    let ports: CasePorts
    let clusters = 0
    const closers: Array<() => Promise<void>> = []
    before(async () => {
      ports = await openPorts()
    })
    after(async () => {
      for (const close of closers.toReversed()) await close()
      await ports.close()
    })

    /** A catalog of its own (its own cluster name), so that cases share servers but nothing else. */
    async function world(
      cluster = `c${++clusters}-${process.pid}`,
      postgres: PostgresPort = ports.postgres,
    ): Promise<World> {
      const { parts, service } = await openCatalog(ports, {
        cluster,
        clock: systemClock,
        pollMs: 20,
        postgres,
      })
      const { store, follower, kafka, identity } = parts
      closers.push(follower.close)
      return {
        parts,
        service,
        store,
        follower,
        kafka,
        topic: (table) => topicName(identity, 'production', table),
      }
    }

    const putCluster = ({ service }: World, more: Fields<PutClusterRequest> = {}) =>
      service.putCluster(
        create(PutClusterRequestSchema, {
          uid: 'cluster-1',
          generation: 1n,
          shards: 2,
          replicationFactor: 2,
          topics: { replicationFactor: 1, minInsyncReplicas: 1 },
          ...more,
        }),
      )
    const putTable = (
      { service }: World,
      change: Partial<TableDeclaration> = {},
      generation = 1n,
      uid = 'table-1',
    ) =>
      service.putTable(
        create(PutTableRequestSchema, {
          uid,
          generation,
          definitionJson: JSON.stringify({ ...declared, ...change }),
        }),
      )
    const deleteTable = ({ service }: World, policy: DeletionPolicy, uid = 'table-1') =>
      service.deleteTable(
        create(DeleteTableRequestSchema, { table: { namespace: 'production', name: 'events' }, uid, policy }),
      )
    const register = ({ service }: World, more: Fields<RegisterShardRequest>) =>
      service.registerShard(create(RegisterShardRequestSchema, { address: 'shard:9091', ...more }))
    const report = (
      { service }: World,
      shard: number,
      incarnation: bigint,
      processId: string,
      slots: SlotState[],
    ) => service.reportShard(create(ReportShardRequestSchema, { shard, incarnation, processId, slots }))

    const catalog = ({ follower }: World): CatalogSnapshot => {
      const snapshot = follower.current()
      assert.ok(snapshot !== undefined)
      return snapshot
    }
    const slotOf = (at: World, slot: number) => {
      const found = catalog(at).tables[0]?.slots[slot]
      assert.ok(found !== undefined)
      return found
    }
    const states = (at: World, shard: number) =>
      catalog(at).tables.flatMap(({ slots }) =>
        slots.flatMap(({ replicas }) => replicas.filter((r) => r.shard === shard).map(({ state }) => state)),
      )
    const stateOf = (at: World, slot: number, offset: bigint, more: Fields<SlotState> = {}): SlotState =>
      create(SlotStateSchema, {
        table: { namespace: 'production', name: 'events' },
        slot,
        epoch: slotOf(at, slot).epoch,
        cursor: { offset, checksum: 0 },
        endOffset: offset + 1n,
        progressedAtUs: 1n,
        ...more,
      })
    const allCaughtUp = (at: World) => [0, 1, 2, 3].map((slot) => stateOf(at, slot, -1n))

    /** Two shards, one table, everything serving. */
    async function serving(): Promise<World & { incarnations: [bigint, bigint] }> {
      const at = await world()
      await putCluster(at)
      await putTable(at)
      const incarnations: bigint[] = []
      for (const shard of [0, 1]) {
        const { incarnation } = await register(at, { shard, processId: `p${shard}` })
        await report(at, shard, incarnation, `p${shard}`, allCaughtUp(at))
        incarnations.push(incarnation)
      }
      assert.deepEqual(states(at, 0).concat(states(at, 1)), Array(8).fill(ReplicaState.SERVING))
      return { ...at, incarnations: incarnations as [bigint, bigint] }
    }

    test('cursors: what the serving replica furthest behind has applied is what lag tools see', async () => {
      const at = await serving()
      const [first, second] = at.incarnations
      await report(at, 0, first, 'p0', [stateOf(at, 0, 4n), stateOf(at, 1, 7n), stateOf(at, 2, 1n)])
      await report(at, 1, second, 'p1', [stateOf(at, 0, 6n), stateOf(at, 1, 5n), stateOf(at, 3, -1n)])
      const stopping = new AbortController()
      const publishing = publishCursors(at.parts, stopping.signal, 5)
      const group = cursorGroupName(at.parts.identity, 'production', 'events')
      const deadline = performance.now() + 30_000
      let committed: ReadonlyMap<number, number> = new Map()
      while (committed.size < 4 && performance.now() < deadline) {
        await delay(20)
        committed = await ports.committed(group, at.topic('events'))
      }
      stopping.abort()
      await publishing
      assert.deepEqual(Object.fromEntries(committed), { 0: 5, 1: 6, 2: 2, 3: 0 })
      assert.equal(at.topic('events'), group)
    })

    test('PutTable: the topic is made as the design says, and every replica begins as joining', async () => {
      const at = await world()
      await putCluster(at)
      const answer = await putTable(at)
      assert.deepEqual(
        [answer.version, answer.slots, answer.slotsReady, answer.topicDrift, answer.adopted],
        [1, 4, 0, [], false],
      )
      assert.equal(answer.topic, at.topic('events'))
      const topic = await at.kafka.describeTopic(answer.topic)
      assert.equal(topic?.partitions, 4)
      assert.equal(topic?.config['message.timestamp.type'], 'LogAppendTime')
      assert.equal(topic?.config['retention.ms'], String(3_600_000 + 600_000 + 5_000 + 86_400_000))
      for (const slot of [0, 1, 2, 3]) {
        const { replicas, epoch } = slotOf(at, slot)
        assert.ok(epoch > 0n)
        assert.deepEqual(
          replicas.map(({ shard, incarnation, state }) => [shard, incarnation, state]),
          [0, 1].map((shard) => [shard, 0n, ReplicaState.JOINING]),
        )
      }
    })

    test('PutTable: repeating changes nothing, an older generation is refused, a safe change is a version', async () => {
      const at = await world()
      await putCluster(at)
      const first = await putTable(at, {}, 5n)
      const again = await putTable(at, {}, 5n)
      assert.deepEqual([again.version, again.revision], [1, first.revision])
      await assert.rejects(putTable(at, {}, 4n), refused('TN_GENERATION_STALE', /4 is older than 5/))
      const price = { name: 'price', type: 'float64', nullable: true } as const
      const changed = await putTable(at, { columns: [price], retentionUs: 7_200_000_000 }, 6n)
      assert.equal(changed.version, 2)
      assert.ok(changed.revision > first.revision)
      const versions = catalog(at).tables[0]?.versionsJson.map((json) => JSON.parse(json))
      assert.deepEqual(
        versions?.map(({ version, columns }) => [version, columns.map((c: { name: string }) => c.name)]),
        [
          [1, ['region', 'items']],
          [2, ['region', 'items', 'price']],
        ],
      )
      assert.match(changed.topicDrift[0] ?? '', /^retention\.ms is 90605000, must be at least 94205000$/)
      await assert.rejects(
        putTable(at, { slots: 8 }, 7n),
        refused('TN_TABLE_INVALID', /slots is 4 and never/),
      )
      await assert.rejects(
        putTable(at, {}, 1n, 'table-2'),
        refused('TN_TABLE_CONFLICT', /NameTaken.*table-1/),
      )
    })

    test('PutTable: before any cluster it says what comes first', async () => {
      await assert.rejects(
        putTable(await world()),
        refused('TN_CATALOG_UNAVAILABLE', /PutCluster comes before/),
      )
    })

    test('PutTable: a topic left by a crash is taken, one with records of another life is not', async () => {
      const at = await world()
      await putCluster(at)
      const settings = { partitions: 4, replicationFactor: 1, config: {} }
      await at.kafka.createTopic(at.topic('events'), settings)
      const answer = await putTable(at)
      assert.ok(answer.topicDrift.some((drift) => /message\.timestamp\.type/.test(drift)))
      await at.kafka.createTopic(at.topic('used'), settings)
      await at.kafka.produce(at.topic('used'), 2, Buffer.from('a record'))
      const conflict = refused(
        'TN_TABLE_CONFLICT',
        /AdoptionConflict: topic .*used is already there and holds/,
      )
      await assert.rejects(putTable(at, { name: 'used' }, 1n, 'table-2'), conflict)
      assert.equal(catalog(at).tables.length, 1)
    })

    test('PutTable: two processes at once make one table', async () => {
      const at = await world()
      await putCluster(at)
      const answers = await Promise.all([putTable(at), putTable(at), putTable(at)])
      assert.deepEqual(
        answers.map(({ version }) => version),
        [1, 1, 1],
      )
      assert.equal(catalog(at).tables.length, 1)
      assert.equal(catalog(at).tables[0]?.slots.length, 4)
    })

    test('PutCluster: impossible numbers are refused; repeating changes nothing; what needs moves waits for them', async () => {
      const at = await world()
      const { revision } = await putCluster(at)
      assert.equal((await putCluster(at)).revision, revision)
      await assert.rejects(
        putCluster(at, { replicationFactor: 3 }),
        refused('TN_REQUEST_INVALID', /needs as many/),
      )
      await assert.rejects(
        putCluster(at, { generation: 0n }),
        refused('TN_GENERATION_STALE', /0 .* older than 1/),
      )
      await putTable(at)
      const placed = catalog(at).tables[0]?.slots
      assert.ok(
        (await putCluster(at, { shards: 1, replicationFactor: 1, generation: 2n })).revision > revision,
      )
      assert.equal(catalog(at).shardCount, 2, 'nothing leaves before somebody has looked whether it can')
      await putCluster(at, { shards: 1, replicationFactor: 1, generation: 2n, shrink: true })
      await putCluster(at, { shards: 1, replicationFactor: 1, generation: 2n })
      assert.deepEqual([catalog(at).shardCount, catalog(at).replicationFactor], [1, 1])
      assert.deepEqual(catalog(at).tables[0]?.slots, placed, 'only moves change who holds what')
      await putCluster(at, { shards: 3, generation: 3n })
      assert.equal(catalog(at).shardCount, 3)
    })

    test('PutCluster: another object has to wait until the claim is old', async () => {
      const at = await world()
      await putCluster(at)
      await assert.rejects(
        putCluster(at, { uid: 'cluster-2' }),
        refused('TN_TABLE_CONFLICT', /NameTaken.*cluster-1/),
      )
      await at.store.query(
        'UPDATE $schema.catalog SET cluster_claimed_at = now() - make_interval(secs => $1)',
        [CLUSTER_CLAIM_SECONDS],
      )
      await putCluster(at, { uid: 'cluster-2' })
    })

    test('a table comes to life: joining, caught up, serving under a greater epoch each time', async () => {
      const at = await world()
      await putCluster(at)
      await putTable(at)
      const first = slotOf(at, 0).epoch
      const { incarnation, catalogId } = await register(at, { shard: 0, processId: 'p0' })
      assert.equal(catalogId, catalog(at).catalogId)
      const registered = slotOf(at, 0).epoch
      assert.ok(registered > first)
      await report(at, 0, incarnation, 'p0', [
        stateOf(at, 0, -1n),
        stateOf(at, 1, -1n, { progressedAtUs: 0n }),
      ])
      assert.deepEqual(states(at, 0), [2, 1, 1, 1])
      assert.ok(slotOf(at, 0).epoch > registered)
      assert.equal(slotOf(at, 1).epoch, registered)
      await report(at, 0, incarnation, 'p0', [
        stateOf(at, 1, -1n, { stalledReason: 'LogRewritten' }),
        stateOf(at, 2, -1n, { epoch: registered - 1n }),
        stateOf(at, 3, -1n, { endOffset: 100n }),
      ])
      assert.deepEqual(states(at, 0), [2, 1, 1, 1])
      assert.equal((await putTable(at)).slotsReady, 0)
    })

    test('joining replicas serve only when Kafka itself says that they reached its end', async () => {
      const at = await world()
      await putCluster(at)
      await putTable(at)
      const { incarnation } = await register(at, { shard: 0, processId: 'p0' })
      for (let record = 0; record < 3; record++)
        await at.kafka.produce(at.topic('events'), 0, Buffer.from('x'))
      await report(at, 0, incarnation, 'p0', [stateOf(at, 0, -1n)]) // It believes the log to be empty.
      assert.equal(states(at, 0)[0], ReplicaState.JOINING)
      await at.kafka.produce(at.topic('events'), 0, Buffer.from('x')) // The end runs ahead of every report.
      await report(at, 0, incarnation, 'p0', [stateOf(at, 0, 2n)])
      assert.equal(states(at, 0)[0], ReplicaState.SERVING)
    })

    test('a shard that restarts with its volume stays what it was; its former process is not heard any more', async () => {
      const at = await serving()
      const [incarnation] = at.incarnations
      const before = slotOf(at, 0).epoch
      const volume = {
        volumeIncarnation: incarnation,
        volumeCatalogId: catalog(at).catalogId,
        epochMax: before,
      }
      const again = await register(at, { shard: 0, processId: 'p0-next', ...volume })
      assert.equal(again.incarnation, incarnation)
      assert.deepEqual(states(at, 0), Array(4).fill(ReplicaState.SERVING))
      assert.equal(slotOf(at, 0).epoch, before)
      await assert.rejects(
        report(at, 0, incarnation, 'p0', []),
        refused('TN_SHARD_RETIRED', /register again/),
      )
      await report(at, 0, incarnation, 'p0-next', [])
    })

    test('a lost answer to RegisterShard does not cost an incarnation', async () => {
      const at = await world()
      await putCluster(at)
      const first = await register(at, { shard: 0, processId: 'p0' })
      assert.equal((await register(at, { shard: 0, processId: 'p0' })).incarnation, first.incarnation)
    })

    test('an empty, a foreign and a retired volume each start anew as joining under a greater epoch', async () => {
      const at = await serving()
      const { catalogId } = catalog(at)
      const [retired] = at.incarnations
      const volumes = [
        {},
        { volumeIncarnation: retired + 1n, volumeCatalogId: '00000000-0000-0000-0000-000000000000' },
        { volumeIncarnation: retired, volumeCatalogId: catalogId },
      ]
      let last = at.incarnations[1]
      for (const [index, volume] of volumes.entries()) {
        const before = slotOf(at, 0).epoch
        const { incarnation } = await register(at, { shard: 0, processId: `q${index}`, ...volume })
        assert.ok(incarnation > last)
        assert.deepEqual(states(at, 0), Array(4).fill(ReplicaState.JOINING))
        assert.deepEqual(states(at, 1), Array(4).fill(ReplicaState.SERVING))
        assert.ok(slotOf(at, 0).epoch > before)
        await assert.rejects(report(at, 0, last, 'p0', []), refused('TN_SHARD_RETIRED', /register again/))
        await report(at, 0, incarnation, `q${index}`, allCaughtUp(at))
        assert.deepEqual(states(at, 0), Array(4).fill(ReplicaState.SERVING))
        last = incarnation
      }
    })

    test('with every replica lost a slot has no serving one until a joining one has read the log', async () => {
      const at = await serving()
      const now = [0n, 0n]
      for (const shard of [0, 1])
        now[shard] = (await register(at, { shard, processId: `new${shard}` })).incarnation
      assert.ok(
        catalog(at).tables[0]?.slots.every(({ replicas }) => replicas.every(({ state }) => state === 1)),
      )
      await report(at, 1, now[1]!, 'new1', allCaughtUp(at))
      assert.deepEqual(states(at, 1), Array(4).fill(ReplicaState.SERVING))
      assert.deepEqual(states(at, 0), Array(4).fill(ReplicaState.JOINING))
    })

    test('a restored backup goes on above what shards and watchers know', async () => {
      const at = await serving()
      const known = slotOf(at, 0).epoch + 40n
      const volume = { volumeIncarnation: at.incarnations[0], volumeCatalogId: catalog(at).catalogId }
      await register(at, { shard: 0, processId: 'p0-next', epochMax: known, ...volume })
      for (const slot of [0, 1, 2, 3]) assert.ok(slotOf(at, slot).epoch > known)
      await report(at, 0, at.incarnations[0], 'p0-next', [stateOf(at, 0, -1n, { epoch: known + 100n })])
      for (const slot of [0, 1, 2, 3]) assert.ok(slotOf(at, slot).epoch > known + 100n)

      const held = catalog(at).revision + 1_000n
      const stop = new AbortController()
      const watch = at.service.watch(create(WatchCatalogRequestSchema, { revision: held }), stop)
      for await (const snapshot of watch) {
        assert.ok(snapshot.revision > held)
        break
      }
      stop.abort()
    })

    test('Watch: whole at once, then every change coalesced, nothing for who holds the newest', async () => {
      const at = await world()
      await putCluster(at)
      const stop = new AbortController()
      const seen: CatalogSnapshot[] = []
      const watching = (async () => {
        for await (const snapshot of at.service.watch(create(WatchCatalogRequestSchema, {}), stop)) {
          seen.push(snapshot)
        }
      })()
      await until(() => seen.length === 1)
      assert.equal(seen[0]?.tables.length, 0)
      await Promise.all([0, 1, 2, 3, 4].map((shard) => register(at, { shard, processId: `p${shard}` })))
      await until(() => seen.at(-1)?.shards.length === 5)
      assert.ok(seen.length <= 6)
      for (const [index, { revision }] of seen.entries()) {
        assert.ok(index === 0 || revision > seen[index - 1]!.revision)
      }
      const idle: CatalogSnapshot[] = []
      const holding = (async () => {
        const request = create(WatchCatalogRequestSchema, { revision: catalog(at).revision })
        for await (const snapshot of at.service.watch(request, stop)) idle.push(snapshot)
      })()
      await delay(60)
      assert.equal(idle.length, 0)
      await putTable(at)
      await until(() => idle.length === 1 && seen.at(-1)?.tables.length === 1)
      stop.abort()
      await Promise.all([watching, holding])
    })

    test('Watch: a change made by another process arrives by polling', async () => {
      const cluster = `shared-${process.pid}`
      const [left, right] = [await world(cluster), await world(cluster)]
      await putCluster(left)
      await putTable(left)
      await until(() => right.follower.current()?.tables.length === 1)
      assert.equal(catalog(right).revision, catalog(left).revision)
    })

    test('DeleteTable: Retain keeps all, adoption proves itself again; Delete takes topic and entry', async () => {
      const at = await serving()
      assert.deepEqual(
        await deleteTable(at, DeletionPolicy.RETAIN, 'someone-else').then(({ kept }) => kept),
        ['table production.events, which belongs to another Table object (uid table-1)'],
      )
      assert.equal(catalog(at).tables.length, 1)
      const { kept } = await deleteTable(at, DeletionPolicy.RETAIN)
      assert.equal(kept[0], `topic ${at.topic('events')} (4 partitions)`)
      assert.equal(kept.length, 3)
      assert.deepEqual((await deleteTable(at, DeletionPolicy.RETAIN)).kept, kept)
      assert.equal(catalog(at).tables.length, 0)

      await assert.rejects(
        putTable(at, { slots: 8 }, 1n, 'table-2'),
        refused('TN_TABLE_CONFLICT', /AdoptionConflict.*slots is 4/),
      )
      const adopted = await putTable(at, {}, 1n, 'table-2')
      assert.deepEqual([adopted.adopted, adopted.version, adopted.slotsReady], [true, 1, 0])
      assert.deepEqual(states(at, 0).concat(states(at, 1)), Array(8).fill(ReplicaState.JOINING))

      assert.deepEqual((await deleteTable(at, DeletionPolicy.DELETE, 'table-2')).kept, [])
      assert.deepEqual((await deleteTable(at, DeletionPolicy.DELETE, 'table-2')).kept, [])
      assert.equal(await at.kafka.describeTopic(at.topic('events')), undefined)
      assert.equal((await putTable(at, { slots: 2 }, 1n, 'table-3')).version, 1)
    })

    test('DeleteTable: cut off after the mark, PutTable ends it before it begins anew', async () => {
      const at = await serving()
      await at.store.query("UPDATE $schema.table_entry SET state = 'deleting'")
      await at.kafka.produce(at.topic('events'), 0, Buffer.from('x'))
      const answer = await putTable(at, { slots: 2 }, 1n, 'table-2')
      assert.deepEqual([answer.version, answer.slots, answer.adopted], [1, 2, false])
      assert.equal((await at.kafka.describeTopic(at.topic('events')))?.partitions, 2)
    })

    test('DeleteCluster: Retain frees the name and keeps all; Delete leaves nothing and can be repeated', async () => {
      const at = await serving()
      const { service } = at
      const end = (policy: DeletionPolicy, uid = 'cluster-1') =>
        service.deleteCluster(create(DeleteClusterRequestSchema, { uid, policy }))
      assert.match(
        (await end(DeletionPolicy.DELETE, 'other')).kept[0] ?? '',
        /belong to another cluster object/,
      )
      const { kept } = await end(DeletionPolicy.RETAIN)
      assert.ok(kept.some((line) => line.startsWith(`topic ${at.topic('events')}`)))
      assert.equal(catalog(at).tables.length, 0)
      assert.match(
        (await end(DeletionPolicy.DELETE, 'never-had-it')).kept[0] ?? '',
        /an earlier cluster object retained/,
      )

      await putCluster(at, { uid: 'cluster-2' })
      assert.equal((await putTable(at, {}, 1n, 'table-9')).adopted, true)
      assert.deepEqual((await end(DeletionPolicy.DELETE, 'cluster-2')).kept, [])
      assert.equal(await at.kafka.describeTopic(at.topic('events')), undefined)
      const schemas = await ports.postgres.query(
        'SELECT 1 FROM information_schema.schemata WHERE schema_name = $1',
        [at.store.schema],
      )
      assert.equal(schemas.length, 0)
      assert.deepEqual((await end(DeletionPolicy.DELETE, 'cluster-2')).kept, [])
      await assert.rejects(putTable(at), refused('TN_CATALOG_UNAVAILABLE', /PutCluster makes it/))
      const revision = catalog(at).revision
      assert.ok((await putCluster(at, { uid: 'cluster-3' })).revision > revision)
      assert.equal((await putTable(at)).version, 1)
    })

    test('a catalog that is still being brought to this version refuses for now, and is not taken for a deleted one', async () => {
      const at = await serving()
      await at.store.query('ALTER TABLE $schema.catalog DROP COLUMN drained_shards')
      await assert.rejects(
        register(at, { shard: 1, processId: 'early' }),
        refused('TN_CATALOG_UNAVAILABLE', /being brought to this one/),
      )
      await at.store.query('ALTER TABLE $schema.catalog ADD COLUMN drained_shards text')
      await register(at, { shard: 1, processId: 'early' })
    })

    test('GetPlacement: the catalog and what each shard said last', async () => {
      const at = await serving()
      const placement = await at.service.getPlacement(undefined)
      assert.equal(placement.catalog?.tables.length, 1)
      assert.deepEqual(
        placement.loads.map(({ shard, incarnation, slots }) => [shard, incarnation, slots.length]),
        at.incarnations.map((incarnation, shard) => [shard, incarnation, 4]),
      )
      await register(at, { shard: 1, processId: 'empty' })
      assert.equal((await at.service.getPlacement(undefined)).loads.length, 1)
    })

    test('GetPlacement: why Kafka does not answer, and nothing while it does', async () => {
      const at = await serving()
      assert.equal((await at.service.getPlacement(undefined)).kafkaTrouble, undefined)
      const trouble = { reason: 'KafkaAuthenticationFailed', message: 'Correct the Secret.' } as const
      const service = createCatalogService({ ...at.parts, kafka: { ...at.kafka, trouble: () => trouble } })
      const { kafkaTrouble } = await service.getPlacement(undefined)
      assert.deepEqual([kafkaTrouble?.reason, kafkaTrouble?.message], [trouble.reason, trouble.message])
    })

    test('audit: every change names who made it', async () => {
      const at = await serving()
      const rows = await at.store.query<{ actor: string; action: string; subject: string }>(
        'SELECT actor, action, subject FROM $schema.audit ORDER BY audit_id',
      )
      assert.deepEqual(
        rows.map(({ actor, action, subject }) => `${actor}: ${action} ${subject}`),
        [
          'cluster-1: put-cluster cluster',
          'table-1: create-table production.events',
          'shard 0 process p0: register-shard shard 0',
          'shard 0 process p0: promote-replicas shard 0',
          'shard 1 process p1: register-shard shard 1',
          'shard 1 process p1: promote-replicas shard 1',
        ],
      )
    })

    test('PostgreSQL away: writes say so, watchers keep what there is, and all goes on when it is back', async () => {
      const fault: Fault = {}
      const at = await world(undefined, faulty(ports.postgres, fault))
      await putCluster(at)
      await putTable(at)
      const { incarnation } = await register(at, { shard: 0, processId: 'p0' })
      fault.away = true
      const away = refused('TN_POSTGRES_UNAVAILABLE', /away/)
      await assert.rejects(putTable(at, { retentionUs: 1_000_000 }, 2n), away)
      await assert.rejects(register(at, { shard: 1, processId: 'p1' }), away)
      await assert.rejects(report(at, 0, incarnation, 'p0', []), away)
      await until(() => at.follower.state() === 'away')
      const stop = new AbortController()
      for await (const snapshot of at.service.watch(create(WatchCatalogRequestSchema, {}), stop)) {
        assert.equal(snapshot.tables.length, 1)
        break
      }
      stop.abort()
      fault.away = false
      await until(() => at.follower.state() === 'answering')
      assert.equal((await putTable(at, { retentionUs: 1_000_000 }, 2n)).version, 2)
    })

    test('a crash before any write leaves nothing half done, and the repetition ends where none would', async () => {
      const fault: Fault = {}
      const story = (at: World): ReadonlyArray<() => Promise<unknown>> => [
        () => putCluster(at),
        () => putTable(at),
        () => register(at, { shard: 0, processId: 'p0' }),
        () => register(at, { shard: 1, processId: 'p1' }),
        ...[0, 1].map((shard) => async () => {
          const { incarnation } = await register(at, { shard, processId: `p${shard}` })
          await report(at, shard, incarnation, `p${shard}`, allCaughtUp(at))
        }),
        () => putTable(at, { retentionUs: 7_200_000_000 }, 2n),
      ]
      const outcome = (at: World) =>
        catalog(at).tables.map(({ versionsJson, slots }) => [
          versionsJson.length,
          slots.map(({ replicas }) => replicas.map(({ shard, state }) => [shard, state])),
        ])
      const expected = [[2, Array(4).fill([0, 1].map((shard) => [shard, ReplicaState.SERVING]))]]
      let crashes = 0
      for (let statement = 1; statement <= 40; statement += 2) {
        const at = await world(undefined, faulty(ports.postgres, fault))
        fault.crashAt = statement
        for (const step of story(at)) {
          await step().catch((error: unknown) => {
            assert.match(String(error), /crash/)
            crashes += 1
            return step()
          })
        }
        delete fault.crashAt
        await at.follower.refresh()
        // A report that was made from a stale catalog is followed by the next one, a second later.
        for (const step of story(at).slice(4, 6)) await step()
        assert.deepEqual(outcome(at), expected, `crash at statement ${statement}`)
      }
      assert.ok(crashes >= 10, `only ${crashes} crashes hit the story`)
    })

    test('migrate: twice, at once, and again after one that was cut off half-way', async () => {
      const schema = postgresSchemaName({ kubernetesNamespace: 'test', cluster: `m-${process.pid}` })
      const counts = await Promise.all([1, 2, 3].map(() => migrate(ports.postgres, schema)))
      assert.deepEqual(counts.toSorted(), [0, 0, MIGRATIONS.length])
      const half = {
        number: 1_000,
        name: 'half',
        statements: ['CREATE TABLE $schema.half (a integer)', 'SELECT * FROM $schema.nowhere'],
      }
      await assert.rejects(migrate(ports.postgres, schema, [...MIGRATIONS, half]))
      const whole = { ...half, statements: ['CREATE TABLE $schema.half (a integer)'] }
      assert.equal(await migrate(ports.postgres, schema, [...MIGRATIONS, whole]), 1)
      assert.equal(await migrate(ports.postgres, schema, [...MIGRATIONS, whole]), 0)
    })
  })
}

/** What to do to statements: refuse all of them, or die before the n-th write from now. */
type Fault = { away?: boolean; crashAt?: number }

/** The port with faults; a crash in a transaction rolls it back, as the death of the connection would. */
function faulty(postgres: PostgresPort, fault: Fault): PostgresPort {
  const through =
    (query: Query): Query =>
    async (sql, parameters) => {
      if (fault.away === true) throw new TrueNowError('TN_POSTGRES_UNAVAILABLE', 'PostgreSQL is away.')
      const writes = /^\s*(LOCK|INSERT|UPDATE|DELETE|WITH)/.test(sql) // What polls read is not counted.
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

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'nothing happened within 10 s')
    await delay(5)
  }
}

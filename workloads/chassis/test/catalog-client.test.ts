import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import {
  Catalog,
  type CatalogSnapshot,
  CatalogSnapshotSchema,
  type WatchCatalogRequest,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { Registry } from 'prom-client'
import { createCatalogClient } from '../src/catalog-client.ts'
import { viewOfCatalog } from '../src/catalog-view.ts'
import { systemClock } from '../src/clock.ts'
import { createGrpcServer } from '../src/grpc-server.ts'
import { createHealth } from '../src/health.ts'
import { createLog } from '../src/log.ts'

const directory = mkdtempSync(join(tmpdir(), 'truenow-catalog-'))
after(() => rmSync(directory, { recursive: true }))

const version = (number: number) =>
  JSON.stringify({ namespace: 'production', name: 'events', version: number, columns: [], slots: 2 })
const snapshot = (revision: number, catalogId = 'a'): CatalogSnapshot =>
  create(CatalogSnapshotSchema, {
    revision: BigInt(revision),
    catalogId,
    replicationFactor: 2,
    shards: [
      { shard: 1, incarnation: 7n, address: 'demo-1:9091' },
      { shard: 0, incarnation: 3n, address: 'demo-0:9091' },
    ],
    tables: [
      {
        topic: 'truenow.d.c.production.events',
        uid: 'u',
        versionsJson: [version(1), version(2)],
        slots: [
          { slot: 1, epoch: 5n, replicas: [{ shard: 1, incarnation: 7n, state: ReplicaState.JOINING }] },
          { slot: 0, epoch: 4n, replicas: [{ shard: 0, incarnation: 3n, state: ReplicaState.SERVING }] },
        ],
      },
    ],
  })

/** A control plane that says what it is told to, and what it was asked. */
async function controlPlane(port = 0) {
  const log = createLog({ role: 'test', level: 'ERROR' })
  const health = createHealth({ role: 'test', version: '1', clock: systemClock })
  const server = createGrpcServer({ role: 'test', log, registry: new Registry(), health })
  const asked: WatchCatalogRequest[] = []
  const waiting: CatalogSnapshot[] = []
  let wake = () => {}
  const never = async (): Promise<never> => assert.fail('only Watch is asked for')
  server.add(Catalog, {
    watch: async function* (request) {
      asked.push(request)
      for (;;) {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) yield next
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    putCluster: never,
    putTable: never,
    deleteTable: never,
    deleteCluster: never,
    registerShard: never,
    reportShard: never,
    getPlacement: never,
    grantLeader: never,
    planMoves: never,
    approveMoves: never,
    advanceMoves: never,
    cancelMoves: never,
    retireShards: never,
    watchMoves: () => assert.fail('only Watch is asked for'),
  })
  const bound = await server.listen('127.0.0.1', port)
  const say = (said: CatalogSnapshot) => {
    waiting.push(said)
    wake()
  }
  return { asked, say, port: bound, close: server.close }
}

function follow(port: number, cacheFile?: string) {
  const lines: string[] = []
  const log = createLog({ role: 'query', destination: { write: (line) => lines.push(line) } })
  const context = { log, clock: systemClock, registry: new Registry(), pod: 'p', version: '1' }
  const address = `127.0.0.1:${port}`
  const client = createCatalogClient({
    address,
    watcher: 'query p',
    context,
    ...(cacheFile === undefined ? {} : { cacheFile }),
  })
  return { client, lines, revision: () => client.current()?.revision }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = performance.now() + 10_000; !holds(); await sleep(5))
    assert.ok(performance.now() < deadlineMs, `not within 10 s: ${what}`)
}

test('catalog view: indexed by name, slot and ordinal; the newest version is the definition', () => {
  const view = viewOfCatalog(snapshot(9))
  assert.deepEqual([view.revision, view.catalogId, view.replicationFactor], [9, 'a', 2])
  const table = view.table('production', 'events')
  assert.equal(table?.definition.version, 2)
  assert.deepEqual([...(table?.definitions.keys() ?? [])], [1, 2])
  assert.deepEqual(
    table?.slots.map(({ slot, epoch }) => [slot, epoch]),
    [
      [0, 4],
      [1, 5],
    ],
  )
  assert.deepEqual(table?.slots[1]?.replicas, [{ shard: 1, incarnation: 7, state: ReplicaState.JOINING }])
  assert.deepEqual(view.shard(0), { shard: 0, incarnation: 3, address: 'demo-0:9091' })
  assert.deepEqual(
    [view.table('production', 'none'), view.table('toString', 'x'), view.shard(2)],
    [undefined, undefined, undefined],
  )
  assert.deepEqual([view.tables().length, view.shards().length], [1, 2])
})

test('catalog client: follows changes, keeps them on disk, and starts from there without a control plane', async () => {
  const cacheFile = join(directory, 'nested', 'catalog.bin')
  const plane = await controlPlane()
  const { client, revision } = follow(plane.port, cacheFile)
  assert.deepEqual([client.current(), client.ageMs()], [undefined, Number.POSITIVE_INFINITY])
  const heard: number[] = []
  const stop = client.onChange((view) => heard.push(view.revision))
  const ready = client.whenReady(AbortSignal.timeout(10_000))
  plane.say(snapshot(5))
  assert.equal((await ready).revision, 5)
  assert.equal(client.ageMs(), 0)
  plane.say(snapshot(6))
  await until(() => revision() === 6, 'revision 6')
  stop()
  plane.say(snapshot(7))
  await until(() => revision() === 7, 'revision 7')
  assert.deepEqual(heard, [5, 6])
  assert.deepEqual(
    plane.asked.map(({ watcher, revision: held }) => [watcher, held]),
    [['query p', 0n]],
  )
  await client.close()
  await plane.close()

  const later = follow(plane.port, cacheFile)
  assert.equal(later.revision(), 7)
  assert.equal((await later.client.whenReady(AbortSignal.abort())).revision, 7)
  assert.equal(later.client.ageMs(), Number.POSITIVE_INFINITY)
  await until(() => later.lines.length > 0, 'it says that nobody answers')
  assert.match(later.lines[0] ?? '', /"level":"WARN".*TN_PEER_UNAVAILABLE/)
  await sleep(500)
  assert.equal(later.lines.length, 1, 'said once in 30 s, not at every attempt')
  await later.client.close()
  assert.deepEqual(readdirSync(join(directory, 'nested')), ['catalog.bin'])
})

test('catalog client: a lower revision of the same catalog is ignored, another catalog is taken', async () => {
  const plane = await controlPlane()
  const { client, revision } = follow(plane.port)
  const heard: string[] = []
  client.onChange((view) => heard.push(`${view.catalogId}${view.revision}`))
  for (const said of [
    snapshot(8),
    snapshot(7),
    snapshot(8),
    snapshot(3, 'b'),
    snapshot(2, 'b'),
    snapshot(4, 'b'),
  ])
    plane.say(said)
  await until(() => revision() === 4, 'the last one')
  assert.deepEqual(heard, ['a8', 'b3', 'b4'])
  await client.close()
  await plane.close()
})

test('catalog client: goes on over a restart, says what it holds, and knows how old its catalog is', async () => {
  const first = await controlPlane()
  const { client, revision, lines } = follow(first.port)
  first.say(snapshot(5))
  await until(() => revision() === 5, 'revision 5')
  await first.close()
  await until(() => client.ageMs() > 0, 'it notices')
  assert.ok(client.ageMs() < 5_000)
  const second = await controlPlane(first.port)
  await until(() => second.asked.length === 1, 'it returns')
  assert.equal(second.asked[0]?.revision, 5n)
  await until(() => client.ageMs() === 0, 'the watch stands, though nothing new was said')
  second.say(snapshot(6))
  await until(() => revision() === 6, 'revision 6')
  await client.close()
  await second.close()
  assert.deepEqual(
    lines.filter((line) => line.includes('"level":"ERROR"')),
    [],
  )
})

test('catalog client: a listener that throws keeps nothing from the others', async () => {
  const plane = await controlPlane()
  const { client, lines } = follow(plane.port)
  let heard = 0
  client.onChange(() => {
    throw new Error('my mistake')
  })
  client.onChange(() => {
    heard += 1
  })
  plane.say(snapshot(1))
  plane.say(snapshot(2))
  await until(() => heard === 2, 'both')
  assert.equal(plane.asked.length, 1, 'and the watch stands')
  assert.match(lines[0] ?? '', /"level":"ERROR".*my mistake/)
  await client.close()
  await plane.close()
})

test('catalog client: a kept catalog that is torn or cannot be written is no obstacle', async () => {
  const cacheFile = join(directory, 'torn.bin')
  writeFileSync(cacheFile, Buffer.from([0x0a, 0xff, 0xff, 0x01, 0x07]))
  writeFileSync(join(directory, 'file'), '')
  const plane = await controlPlane()
  const torn = follow(plane.port, cacheFile)
  assert.equal(torn.client.current(), undefined)
  assert.match(torn.lines[0] ?? '', /"level":"WARN".*cannot be read/)
  await torn.client.close()
  await plane.close()
  const another = await controlPlane()
  const unwritable = follow(another.port, join(directory, 'file', 'catalog.bin'))
  another.say(snapshot(1))
  await until(() => unwritable.revision() === 1, 'it is taken')
  assert.ok(unwritable.lines.some((line) => line.includes('could not be kept on disk')))
  await unwritable.client.close()
  await another.close()
})

test('catalog client: waiting ends with its signal; closing ends the watch while nobody answers', async () => {
  const silent = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const address = silent.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { client } = follow(address.port)
  await assert.rejects(client.whenReady(AbortSignal.timeout(50)), { code: 'TN_CATALOG_UNAVAILABLE' })
  await client.close()
  silent.close()
})

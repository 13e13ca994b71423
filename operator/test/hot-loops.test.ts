import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientOf, refuse, until } from './kubernetes-stub.ts'
import { createScene } from './scene.ts'
import { type ServedCall, serveKubernetes } from './serve-kubernetes.ts'
import { startInScene } from './start-in-scene.ts'

/*
 * O4: an API server that refuses, whatever it refuses and however, is asked less and less. The whole operator, its client
 * and a server over HTTP; counted is what comes once the first surprise is over.
 */
const SETTLE_MS = 15_000
const COUNT_MS = 5_000
/** Of a cluster and ten tables, which are eleven keys, and a dozen watches. A loop without a brake makes the client's 50. */
const PER_SECOND_MAX = 20
/** As many calls wait at once, and a server that says "in a second" is asked by each in a second. */
const WORKERS = 8

type Fault = Readonly<{
  name: string
  hits: (call: ServedCall) => boolean
  answer: (response: ServerResponse) => void
  /** @default PER_SECOND_MAX */
  perSecondMax?: number
}>
const WRITES = ['apply', 'patch', 'create', 'replace', 'delete']
const isWrite = ({ verb, kind }: ServedCall) => WRITES.includes(verb) && kind !== 'Lease'
const refusing =
  (status: number, reason: string, headers = {}) =>
  (response: ServerResponse) =>
    refuse(response, status, reason, headers)
/** The version is too old, told as an event. */
const gone = (response: ServerResponse) => {
  const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
}
const FAULTS: readonly Fault[] = [
  { name: '403 on every list: rights of nothing', hits: ({ verb }) => verb === 'list', answer: refusing(403, 'Forbidden') }, // biome-ignore format: one line
  { name: '409 on every write', hits: isWrite, answer: refusing(409, 'Conflict'), perSecondMax: 4 },
  { name: '429 on every write, with Retry-After', hits: isWrite, answer: refusing(429, 'TooManyRequests', { 'retry-after': '1' }), perSecondMax: WORKERS + 4 }, // biome-ignore format: one line
  { name: '500 on every write', hits: isWrite, answer: refusing(500, 'InternalError') },
  { name: '503 on everything but the Lease', hits: ({ kind }) => kind !== 'Lease', answer: refusing(503, 'ServiceUnavailable') }, // biome-ignore format: one line
  { name: '410 on every watch', hits: ({ verb }) => verb === 'watch', answer: gone },
  { name: '422 on every child', hits: ({ verb, kind }) => verb === 'apply' && kind !== 'TrueNowCluster' && kind !== 'Table', answer: refusing(422, 'Invalid') }, // biome-ignore format: one line
]

async function operatorUnder({ hits, answer }: Omit<Fault, 'name'>) {
  const scene = createScene()
  scene.createCluster()
  for (let index = 0; index < 10; index++) scene.createTable(`table-${index}`)
  let refused = 0
  const server = await serveKubernetes(scene.kubernetes, (call, response) => {
    if (!hits(call)) return false
    refused += 1
    answer(response)
    return true
  })
  const port = clientOf(server.baseUrl, { random: Math.random })
  const operator = await startInScene({ ...scene, kubernetes: { ...scene.kubernetes, port } })
  return { operator, server, refused: () => refused }
}

async function requestsUnder(fault: Fault): Promise<Readonly<{ refused: number; perSecond: number }>> {
  const { operator, server, refused } = await operatorUnder(fault)
  try {
    await delay(SETTLE_MS)
    const before = server.calls.length
    await delay(COUNT_MS)
    const asked = server.calls.slice(before).filter(({ kind }) => kind !== 'Lease')
    return { refused: refused(), perSecond: asked.length / (COUNT_MS / 1_000) }
  } finally {
    await operator.close()
    await server.close()
  }
}

test('an API server that refuses is asked less and less, whatever it refuses', async (t) => {
  const found = await Promise.all(
    FAULTS.map(async (fault) => ({
      name: fault.name,
      max: fault.perSecondMax ?? PER_SECOND_MAX,
      ...(await requestsUnder(fault)),
    })),
  )
  for (const { name, max, refused, perSecond } of found) {
    t.diagnostic(`${name}: ${refused} refused, then ${perSecond.toFixed(1)} requests a second`)
    assert.ok(refused > 0, `${name}: nothing was refused, so nothing is proved`)
    assert.ok(perSecond <= max, `${name}: ${perSecond} requests a second`)
  }
})

test('an operator that ends does not wait for what it was told to send again later', async () => {
  const answer = refusing(429, 'TooManyRequests', { 'retry-after': '20' })
  const { operator, server, refused } = await operatorUnder({ hits: isWrite, answer })
  try {
    await until('every worker waits', () => refused() >= WORKERS)
    const closed = operator.close().then(() => 'ended')
    assert.equal(await Promise.race([closed, delay(15_000, 'still waits', { ref: false })]), 'ended')
  } finally {
    await server.close()
    await operator.close()
  }
  const leases = server.calls.filter(({ kind }) => kind === 'Lease')
  assert.equal(leases.at(-1)?.verb, 'replace', 'the Lease is given back')
})

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { createKubernetesMetrics } from '../src/kubernetes/kubernetes-metrics.ts'
import type { KubernetesError, Resource, WatchEvent } from '../src/kubernetes/kubernetes-port.ts'
import type { KubernetesObject } from '../src/resources/kubernetes-object.ts'
import { type Answer, clientOf, json, refuse, startStub, until } from './kubernetes-stub.ts'

const POLICIES: Resource = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
}
const SERVICES: Resource = { apiVersion: 'v1', kind: 'Service', plural: 'services' }
const key = { namespace: 'n', name: 'a' }
const service: KubernetesObject = { apiVersion: 'v1', kind: 'Service', metadata: key }
const policy: KubernetesObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { ...key, labels: { ü: '…' } },
  spec: {
    podSelector: {},
    ingress: [{ from: [{ podSelector: { matchLabels: { role: 'query' } } }], ports: [{ port: 9_093 }] }],
    aFieldOfTomorrow: { with: [null, 1.5, ''] },
  },
}

async function scene(t: TestContext, answer: Answer, more: Parameters<typeof clientOf>[1] = {}) {
  const stub = await startStub(answer)
  const client = clientOf(stub.baseUrl, more)
  t.after(async () => {
    await client.close()
    await stub.close()
  })
  return { ...stub, client }
}

test('requests: what is applied is on the wire exactly as it was given, `from` of a NetworkPolicy included', async (t) => {
  const { client, asked } = await scene(t, ({ body }, response) => json(response, 200, JSON.parse(body)))
  const answered = await client.apply(POLICIES, policy, { force: true })
  assert.deepEqual(JSON.parse(asked[0]!.body), policy)
  assert.deepEqual(answered, policy)
  assert.deepEqual(
    [asked[0]!.method, asked[0]!.path, asked[0]!.headers['content-type'], `${asked[0]!.query}`],
    [
      'PATCH',
      '/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/a',
      'application/apply-patch+yaml',
      'fieldManager=truenow-operator&force=true',
    ],
  )
  const objects = fc
    .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
    .map((spec) => ({ ...policy, spec }))
  await fc.assert(
    fc.asyncProperty(objects, async (object) => {
      await client.apply(POLICIES, object as KubernetesObject, { force: true })
      assert.equal(asked.at(-1)!.body, JSON.stringify(object))
    }),
    { numRuns: 50 },
  )
})

type Case = [
  name: string,
  call: (client: ReturnType<typeof clientOf>) => Promise<unknown>,
  line: string,
  type?: string,
]
const cases: Case[] = [
  ['get', (c) => c.get(SERVICES, key), 'GET /api/v1/namespaces/n/services/a'],
  [
    'status without force',
    (c) => c.apply(SERVICES, service, { force: false, subresource: 'status' }),
    'PATCH /api/v1/namespaces/n/services/a/status?fieldManager=truenow-operator&force=false',
    'application/apply-patch+yaml',
  ],
  [
    'merge patch',
    (c) => c.mergePatch(SERVICES, key, { metadata: { finalizers: null } }),
    'PATCH /api/v1/namespaces/n/services/a?fieldManager=truenow-operator',
    'application/merge-patch+json',
  ],
  [
    'create',
    (c) => c.create(SERVICES, service),
    'POST /api/v1/namespaces/n/services?fieldManager=truenow-operator',
    'application/json',
  ],
  [
    'replace',
    (c) => c.replace(SERVICES, service),
    'PUT /api/v1/namespaces/n/services/a?fieldManager=truenow-operator',
    'application/json',
  ],
  ['list of all namespaces', (c) => c.list(POLICIES, {}), 'GET /apis/networking.k8s.io/v1/networkpolicies'],
  [
    'page of a list',
    (c) => c.list(SERVICES, { namespace: 'n', labelSelector: 'a=b,c', limit: 500, continueToken: 'x/y=' }),
    'GET /api/v1/namespaces/n/services?labelSelector=a%3Db%2Cc&limit=500&continue=x%2Fy%3D',
  ],
  [
    'a name that wants to be a path',
    (c) => c.get(SERVICES, { namespace: 'n', name: '../a?b' }),
    'GET /api/v1/namespaces/n/services/..%2Fa%3Fb',
  ],
]
for (const [name, call, line, type] of cases) {
  test(`requests: ${name} asks as Kubernetes wants it`, async (t) => {
    const answer = { metadata: { resourceVersion: '1' }, items: [] }
    const { client, asked } = await scene(t, (_, response) => json(response, 200, answer))
    await call(client)
    const [{ method, path, query, headers }] = asked as [(typeof asked)[number]]
    assert.equal(`${method} ${path}${query.size === 0 ? '' : `?${query}`}`, line)
    if (type !== undefined) assert.equal(headers['content-type'], type)
  })
}

test('requests: items of a built-in list get the kind that the server leaves out', async (t) => {
  const listed = { metadata: { resourceVersion: '9', continue: 'more' }, items: [{ metadata: key }] }
  const { client } = await scene(t, (_, response) => json(response, 200, listed))
  assert.deepEqual(await client.list(SERVICES, { namespace: 'n' }), {
    items: [{ apiVersion: 'v1', kind: 'Service', metadata: key }],
    resourceVersion: '9',
    continueToken: 'more',
  })
})

test('requests: not found is undefined; a refusal carries status, reason and message', async (t) => {
  const { client } = await scene(t, ({ path }, response) =>
    path.endsWith('/a') ? refuse(response, 404, 'NotFound') : refuse(response, 422, 'Invalid'),
  )
  assert.equal(await client.get(SERVICES, key), undefined)
  await assert.rejects(client.create(SERVICES, service), {
    status: 422,
    reason: 'Invalid',
    message: /stub: Invalid/,
  })
})

/** Answers these one after the other, and 200 from then on. */
const inTurn = (...answers: Answer[]): Answer => {
  let at = 0
  return (asked, response) =>
    (answers[at++] ?? ((_, response) => json(response, 200, service)))(asked, response)
}
const reset: Answer = (_, response) => response.socket?.resetAndDestroy()
const fail: Answer = (_, response) => refuse(response, 500, 'InternalError')
const cutShort: Answer = (_, response) => {
  response.writeHead(200, { 'content-length': '100' }).write('{"kind":')
  setImmediate(() => response.socket?.destroy())
}

test('requests: 5xx, a reset and half an answer are asked again where repeating is harmless', async (t) => {
  const registry = new Registry()
  const metrics = createKubernetesMetrics(registry)
  const { client, asked } = await scene(t, inTurn(fail, reset, cutShort), { metrics })
  await client.apply(SERVICES, service, { force: true })
  assert.equal(asked.length, 4)
  assert.equal((await metrics.requestRetries.get()).values[0]?.value, 3)
})

test('requests: they are asked a bounded number of times', async (t) => {
  const { client, asked } = await scene(t, fail)
  await assert.rejects(client.get(SERVICES, key), { status: 500, reason: 'InternalError' })
  assert.equal(asked.length, 4)
})

test('requests: a create that may have happened is not repeated; one that was refused by 429 is', async (t) => {
  for (const lost of [fail, reset]) {
    const { client, asked } = await scene(t, inTurn(lost))
    await assert.rejects(client.create(SERVICES, service))
    assert.equal(asked.length, 1)
  }
  const busy: Answer = (_, response) => refuse(response, 429, 'TooManyRequests')
  const { client, asked } = await scene(t, inTurn(busy))
  await client.create(SERVICES, service)
  assert.equal(asked.length, 2)
})

test('requests: Retry-After is obeyed, and where the deadline does not allow it told at once', async (t) => {
  const busy = (after: string): Answer => {
    return (_, response) => refuse(response, 429, 'TooManyRequests', { 'retry-after': after })
  }
  const { client, asked } = await scene(t, inTurn(busy('1'), busy('60')))
  await client.get(SERVICES, key).catch(() => {})
  assert.equal(asked.length, 2)
  assert.ok(asked[1]!.atMs - asked[0]!.atMs >= 990)
  await scene(t, busy('60')).then(({ client }) =>
    assert.rejects(client.get(SERVICES, key), { status: 429, retryAfterS: 60 }),
  )
})

test('requests: who retires waits for no retry and no turn; urgent calls go on', async (t) => {
  const busy: Answer = (_, response) => refuse(response, 429, 'TooManyRequests', { 'retry-after': '20' })
  const { client, asked } = await scene(t, busy, { requestsPerSecondMax: 1 })
  const startedMs = performance.now()
  const [again, , turn] = [
    client.get(SERVICES, key),
    client.get(SERVICES, key),
    client.get(SERVICES, key),
  ].map((call) => call.catch((error: unknown) => error))
  await until('two were asked', () => asked.length === 2)
  client.retire()
  assert.equal(((await again) as KubernetesError).status, 429)
  assert.equal(((await turn) as KubernetesError).reason, 'Closed')
  await assert.rejects(client.get(SERVICES, key, { timeoutMs: 100, urgent: true }), { status: 429 })
  assert.ok(performance.now() - startedMs < 5_000)
  assert.equal(asked.length, 3)
})

test('requests: no call outlives its deadline, nor its client', async (t) => {
  const { client, sockets } = await scene(t, () => {}, { requestTimeoutMs: 100 })
  const startedMs = performance.now()
  await assert.rejects(client.get(SERVICES, key), { status: 0, reason: 'Timeout' })
  await assert.rejects(client.get(SERVICES, key, { timeoutMs: 20 }), { reason: 'Timeout' })
  assert.ok(performance.now() - startedMs < 1_000)
  const open = assert.rejects(client.create(SERVICES, service, { timeoutMs: 10_000 }), { reason: 'Closed' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await client.close()
  await open
  assert.equal(await sockets(), 0)
})

test('requests: the rate is limited; urgent calls do not wait, and hopeless ones fail at once', async (t) => {
  const { client } = await scene(t, (_, response) => json(response, 200, service), {
    requestsPerSecondMax: 20,
    requestTimeoutMs: 400,
  })
  let open = 60
  const calls = Array.from({ length: 60 }, () => client.get(SERVICES, key).finally(() => open--))
  const settled = Promise.allSettled(calls)
  await client.get(SERVICES, key, { urgent: true, timeoutMs: 10_000 })
  assert.ok(open > 0, 'the last of the others still wait')
  const reasons = (await settled).flatMap((one) => (one.status === 'rejected' ? [one.reason.reason] : []))
  // 40 at once and 8 within the deadline of 400 ms.
  const limited = reasons.filter((reason) => reason === 'RateLimited').length
  assert.ok(limited >= 8 && limited <= 13, `${limited} refused`)
})

test('requests: delete has the uid as its precondition; gone and another one are both fine', async (t) => {
  const answers: Record<string, Answer> = {
    gone: (_, response) => refuse(response, 404, 'NotFound'),
    another: ({ method }, response) =>
      method === 'DELETE'
        ? refuse(response, 409, 'Conflict')
        : json(response, 200, { ...service, metadata: { ...key, uid: 'another' } }),
    changed: ({ method }, response) =>
      method === 'DELETE'
        ? refuse(response, 409, 'Conflict')
        : json(response, 200, { ...service, metadata: { ...key, uid: 'u-1' } }),
  }
  for (const name of ['gone', 'another']) {
    const { client, asked } = await scene(t, answers[name]!)
    await client.remove(SERVICES, key, 'u-1')
    assert.deepEqual(JSON.parse(asked[0]!.body).preconditions, { uid: 'u-1' })
  }
  const { client, asked } = await scene(t, answers.changed!)
  await assert.rejects(client.remove(SERVICES, key, 'u-1', { resourceVersion: '7' }), { status: 409 })
  assert.deepEqual(JSON.parse(asked[0]!.body).preconditions, { uid: 'u-1', resourceVersion: '7' })
})

const watching = (client: ReturnType<typeof clientOf>, signal = new AbortController().signal) =>
  client.watch(SERVICES, { namespace: 'n', resourceVersion: '5', timeoutS: 300, signal })
const event = (type: string, object: unknown = service) => `${JSON.stringify({ type, object })}\n`

test('watch: asks for bookmarks, yields an event a line, and ends with the server', async (t) => {
  const { client, asked } = await scene(t, (_, response) => {
    response.write(event('ADDED') + event('BOOKMARK').slice(0, 10))
    setTimeout(() => response.end(event('BOOKMARK').slice(10)), 10)
  })
  const events = await Array.fromAsync(watching(client))
  assert.deepEqual(
    events.map(({ type }) => type),
    ['ADDED', 'BOOKMARK'],
  )
  assert.equal(
    `${asked[0]!.path}?${asked[0]!.query}`,
    '/api/v1/namespaces/n/services?watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=300',
  )
})

test('watch: outlives the deadline of calls once it stands, and ends cleanly with its signal', async (t) => {
  const { client, sockets } = await scene(
    t,
    (_, response) => {
      response.write(event('ADDED'))
      setTimeout(() => response.write(event('MODIFIED')), 150)
    },
    { requestTimeoutMs: 60 },
  )
  const ending = new AbortController()
  const seen: WatchEvent[] = []
  for await (const each of watching(client, ending.signal)) {
    seen.push(each)
    if (seen.length === 2) ending.abort()
  }
  assert.equal(seen.length, 2)
  const open = client.watch(SERVICES, {
    resourceVersion: '5',
    timeoutS: 300,
    signal: new AbortController().signal,
  })
  const first = await open[Symbol.asyncIterator]().next()
  assert.equal(first.value?.type, 'ADDED')
  await client.close()
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(await sockets(), 0)
})

const broken: ReadonlyArray<[name: string, answer: Answer, expected: object]> = [
  ['410 as a status', (_, response) => refuse(response, 410, 'Expired'), { status: 410, reason: 'Expired' }],
  ['500', fail, { status: 500 }],
  [
    'a reset',
    (_, response) => void response.write(event('ADDED'), () => response.socket?.resetAndDestroy()),
    { status: 0 },
  ],
  ['a line cut off', (_, response) => response.end(event('ADDED').slice(0, 20)), { reason: 'Unreadable' }],
  ['no event', (_, response) => response.end('{"type":"SURPRISE","object":{}}\n'), { reason: 'Unreadable' }],
  ['a server that says nothing at all', () => {}, { reason: 'Timeout' }],
]
for (const [name, answer, expected] of broken) {
  test(`watch: ${name} is an error`, async (t) => {
    const { client } = await scene(t, answer, { requestTimeoutMs: 200 })
    await assert.rejects(Array.fromAsync(watching(client)), expected)
  })
}

test('requests: which kinds a group serves is asked of discovery, which every account may read', async (t) => {
  const { client, asked } = await scene(t, ({ path }, response) =>
    path === '/apis/monitoring.coreos.com/v1'
      ? json(response, 200, { resources: [{ name: 'servicemonitors' }, { name: 'servicemonitors/status' }] })
      : refuse(response, 404, 'NotFound'),
  )
  assert.deepEqual(await client.served('monitoring.coreos.com/v1'), [
    'servicemonitors',
    'servicemonitors/status',
  ])
  assert.deepEqual(await client.served('none.example/v1'), [])
  assert.deepEqual(
    asked.map(({ method, path }) => `${method} ${path}`),
    ['GET /apis/monitoring.coreos.com/v1', 'GET /apis/none.example/v1'],
  )
})

test('requests: the log of a pod is text, asked for by its last lines and cut to a size', async (t) => {
  const { client, asked } = await scene(t, (_, response) => response.end('first\nünd last\n'))
  const log = await client.podLog(key, { lines: 200, bytesMax: 4_096, previous: true })
  assert.equal(log, 'first\nünd last\n')
  assert.equal(`${asked[0]!.path}?${asked[0]!.query}`, '/api/v1/namespaces/n/pods/a/log?tailLines=200&limitBytes=4096&previous=true') // biome-ignore format: one line
})

test('requests: who is not the operator writes under a name of their own', async (t) => {
  const { client, asked } = await scene(t, (_, response) => json(response, 200, service), {
    fieldManager: 'kubectl-truenow',
  })
  await client.mergePatch(SERVICES, key, { spec: {} })
  assert.equal(asked[0]!.query.get('fieldManager'), 'kubectl-truenow')
})

test('requests: what is cluster-wide is asked for without a namespace', async (t) => {
  const { client, asked } = await scene(t, (_, response) => json(response, 200, service))
  await client.get(SERVICES, { namespace: '', name: 'a' })
  assert.equal(asked[0]!.path, '/api/v1/services/a')
})

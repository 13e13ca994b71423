import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Query } from '@truenow/contracts/gen/truenow/v1/query_pb.ts'
import { startQuery } from '../src/role.ts'
import { createCluster } from './cluster.ts'

const range = {
  start_time: 1_754_772_362_000_000,
  end_time: 1_754_772_622_000_000,
  namespace: 'production',
  table: 'events',
}
const rowsOf = (slot: number) => [
  {
    event_id: `e${slot}`,
    event_time_us: range.start_time,
    region: 'us-east',
    product: null,
    latency_us: null,
    revenue: 1,
    items: 9_007_199_254_740_991,
    paid: null,
  },
]
async function scene(options: NonNullable<Parameters<typeof createCluster>[0]> = {}) {
  const cluster = createCluster({ rowsOf, ...options })
  const role = await startQuery(cluster.config, cluster.context, cluster.ports)
  const post = async (body: unknown, contentType = 'application/json') => {
    const response = await fetch(`http://${role.httpAddress}/v1/query`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await response.text()
    // biome-ignore lint/suspicious/noExplicitAny: a test looks at JSON as a client does.
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as any }
  }
  return { ...cluster, role, post }
}
const until = async (holds: () => boolean, what: string) => {
  const deadline = performance.now() + 5_000
  while (!holds()) {
    assert.ok(performance.now() < deadline, `not within 5 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('query: the classic forms over HTTP', async () => {
  const { role, post } = await scene()
  try {
    const rows = await post(range)
    assert.deepEqual([rows.status, rows.body.rows.length], [200, 4])
    assert.match(rows.headers.get('content-type') ?? '', /application\/json/)
    const filtered = await post({ ...range, filters: { region: 'us-east', product: 'widget-a' } })
    assert.deepEqual(filtered.body.rows, [])
    const grouped = await post({
      ...range,
      group_by: ['region', 'product'],
      aggregate: 'sum',
      metric: 'revenue',
    })
    assert.deepEqual(grouped.body.rows, [{ region: 'us-east', product: null, sum_revenue: 4 }])
  } finally {
    await role.close()
  }
})

test('query: digits beyond 2^53 are exact in the body', async () => {
  const { role, post } = await scene()
  try {
    const { text } = await post({ ...range, aggregate: 'sum', metric: 'items' })
    assert.match(text, /"sum_items":36028797018963964\}/)
  } finally {
    await role.close()
  }
})

test('query: refusals have a status, a code, a place', async () => {
  const { role, post, logLines } = await scene()
  try {
    const cases: ReadonlyArray<[body: unknown, status: number, code: string, contentType?: string]> = [
      [{ ...range, start_time: range.end_time }, 400, 'TN_QUERY_INVALID'],
      [{ ...range, filters: { regoin: 1 } }, 400, 'TN_COLUMN_UNKNOWN'],
      [{ ...range, table: 'nothing' }, 404, 'TN_TABLE_UNKNOWN'],
      [{ ...range, limit: 10_001 }, 422, 'TN_QUERY_LIMIT'],
      [[], 400, 'TN_QUERY_INVALID'],
      ['{', 400, 'TN_REQUEST_INVALID'],
      ['{"__proto__": 1}', 400, 'TN_REQUEST_INVALID'],
      ['select 1', 415, 'TN_MEDIA_TYPE_UNSUPPORTED', 'text/plain'],
      ['x'.repeat(3 << 20), 413, 'TN_BODY_TOO_LARGE'],
      [`${'['.repeat(200_000)}${']'.repeat(200_000)}`, 400, 'TN_REQUEST_INVALID'],
    ]
    for (const [body, status, code, contentType] of cases) {
      const found = await post(body, contentType)
      assert.deepEqual([found.status, found.body.error.code], [status, code])
    }
    assert.deepEqual(
      logLines.filter((line) => line.includes('"ERROR"')),
      [],
    )
  } finally {
    await role.close()
  }
})

test('query: tables, health, readiness, metrics', async () => {
  const { role, post } = await scene()
  const get = async (path: string) => (await fetch(`http://${role.httpAddress}${path}`)).text()
  try {
    const { tables } = JSON.parse(await get('/v1/tables')) as {
      tables: [{ columns: { name: string; type: string }[] }]
    }
    assert.deepEqual(tables[0].columns[0], { name: 'event_id', type: 'string', nullable: false })
    assert.equal(JSON.parse(await get('/health')).status, 'healthy')
    assert.equal(JSON.parse(await get('/readyz')).status, 'ready')
    await post({ ...range, aggregate: 'count' })
    const metrics = await get('/metrics')
    assert.match(metrics, /truenow_query_statements_total\{outcome="complete"\} 1/)
    assert.match(metrics, /truenow_query_shard_requests_total\{event="asked"\} 2/)
  } finally {
    await role.close()
  }
})

test('query: the same over gRPC, with the same errors', async () => {
  const { role } = await scene()
  const client = createGrpcClient(Query, role.grpcAddress)
  try {
    const { json } = await client.query({ json: JSON.stringify({ ...range, aggregate: 'count' }) })
    assert.deepEqual(JSON.parse(json).rows, [{ count: 4 }])
    await assert.rejects(client.query({ json: JSON.stringify({ ...range, table: 'no' }) }), {
      code: 'TN_TABLE_UNKNOWN',
    })
    await assert.rejects(client.query({ json: '{' }), { code: 'TN_QUERY_INVALID' })
  } finally {
    client.close()
    await role.close()
  }
})

test('query: a client that goes away cancels the work on the shards', async () => {
  const { role, shards, logLines } = await scene()
  for (const shard of shards) shard.fault = () => new Promise(() => {})
  try {
    const [host = '', port = ''] = role.httpAddress.split(':')
    const socket = connect({ host, port: Number(port) })
    const body = JSON.stringify(range)
    socket.write(
      `POST /v1/query HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await until(() => shards.every(({ requests }) => requests.length > 0), 'shards were asked')
    const goneMs = performance.now()
    socket.destroy()
    await until(
      () => shards.every(({ requests, aborted }) => aborted === requests.length),
      'shards were told',
    )
    assert.ok(performance.now() - goneMs < 100, `${performance.now() - goneMs} ms`)
    assert.deepEqual(
      logLines.filter((line) => line.includes('"ERROR"')),
      [],
    )
  } finally {
    await role.close()
  }
})

test('query: more statements than may run and wait are turned away by name', async () => {
  const { role, post, shards } = await scene({
    settings: {
      TRUENOW_QUERY_RUNNING_MAX: '1',
      TRUENOW_QUERY_WAITING_MAX: '0',
      TRUENOW_QUERY_HEDGES_MAX: '0',
    },
  })
  const gate = Promise.withResolvers<void>()
  for (const shard of shards) shard.fault = () => gate.promise
  try {
    const first = post(range)
    await until(() => shards.every(({ requests }) => requests.length > 0), 'the first runs')
    const second = await post(range)
    assert.deepEqual([second.status, second.body.error.code], [503, 'TN_OVERLOADED'])
    assert.equal(second.body.error.details.limit, 'TRUENOW_QUERY_WAITING_MAX')
    assert.equal(second.headers.get('retry-after'), '1')
    gate.resolve()
    assert.equal((await first).status, 200)
  } finally {
    gate.resolve()
    await role.close()
  }
})

test('query: a statement whose turn never comes is told so', async () => {
  const { role, post, shards } = await scene({
    settings: { TRUENOW_QUERY_RUNNING_MAX: '1', TRUENOW_QUERY_HEDGES_MAX: '0' },
  })
  const gate = Promise.withResolvers<void>()
  for (const shard of shards) shard.fault = () => gate.promise
  try {
    const first = post(range)
    await until(() => shards.every(({ requests }) => requests.length > 0), 'the first runs')
    const second = await post({ ...range, timeout_ms: 20 })
    assert.deepEqual([second.status, second.body.error.code], [504, 'TN_QUERY_TIMEOUT'])
    gate.resolve()
    assert.equal((await first).status, 200)
  } finally {
    gate.resolve()
    await role.close()
  }
})

test('query: without a catalog it is not ready, and says so', async () => {
  const cluster = createCluster()
  const catalog = { ...cluster.catalog.client, current: () => undefined }
  const role = await startQuery(cluster.config, cluster.context, { ...cluster.ports, catalog })
  try {
    assert.equal((await fetch(`http://${role.httpAddress}/readyz`)).status, 503)
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`http://${role.httpAddress}/v1/query`, {
      method: 'POST',
      headers,
      body: JSON.stringify(range),
    })
    assert.equal(response.status, 503)
  } finally {
    await role.close()
  }
})

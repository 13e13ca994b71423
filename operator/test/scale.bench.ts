import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@truenow/chassis/clock.ts'
import { Registry } from 'prom-client'
import { clientOf } from './kubernetes-stub.ts'
import { createMemoryControlPlane } from './memory-control-plane.ts'
import type { Answered, Asked } from './scale-api-server.ts'
import { startInScene } from './start-in-scene.ts'

/*
 * The operator with many tables: how long it takes until all stand, what it asks when nothing changes, how fast it acts on a
 * change, what a flickering freshness costs, what it holds in memory. The whole operator with its client over HTTP; the API
 * server is a process of its own, in memory, and the control plane answers in this one. Writes docs/results/operator.md.
 */
const TABLES = Number(process.env.TABLES ?? 200)
const SLOTS = Number(process.env.SLOTS ?? 64)
const SECONDS = Number(process.env.SECONDS ?? 600)
const CHANGES = Math.min(50, TABLES)
const FLICKER_SECONDS = 30
const WAIT_MS_MAX = 300_000
const IDLE_REQUESTS_A_MINUTE_MAX = 30
const root = fileURLToPath(new URL('../..', import.meta.url))

const child = fork(fileURLToPath(new URL('./scale-api-server.ts', import.meta.url)))
async function ask(asked: Asked): Promise<Answered> {
  const answered = once(child, 'message')
  child.send(asked)
  return ((await answered) as [Answered])[0]
}
async function until(what: string, met: () => Promise<boolean> | boolean, everyMs = 100): Promise<number> {
  const startedMs = performance.now()
  while (!(await met())) {
    if (performance.now() - startedMs > WAIT_MS_MAX) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`)
    await delay(everyMs)
  }
  return (performance.now() - startedMs) / 1_000
}
/** Requests beside the Lease's, by verb and kind, and all together. */
async function requests() {
  const { counts = {} } = await ask({ do: 'counts' })
  const beside = Object.fromEntries(Object.entries(counts).filter(([key]) => !key.endsWith(' Lease')))
  return { by: beside, all: Object.values(beside).reduce((sum, count) => sum + count, 0) }
}
type Requests = Awaited<ReturnType<typeof requests>>
const since = (now: Requests, before: Requests) =>
  Object.entries(now.by).flatMap(([key, count]) => {
    const more = count - (before.by[key] ?? 0)
    return more > 0 ? [`${key} ${more}`] : []
  })
const quantile = (sorted: readonly number[], q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0 // biome-ignore format: one line

const { baseUrl = '' } = await ask({ do: 'address' })
const plane = createMemoryControlPlane(systemClock)
const registry = new Registry()
const port = clientOf(baseUrl, { random: Math.random })
const operator = await startInScene({ kubernetes: { port }, plane }, {}, { registry })
const rows: Array<readonly [what: string, figure: string]> = []
const note = (what: string, figure: string) => {
  rows.push([what, figure])
  console.log(`${what}: ${figure}`)
}
try {
  await until('the cluster is Ready', async () => (await ask({ do: 'ready' })).clusterReady === true)
  await converge()
  await rest()
  await change()
  await flicker()
  await memory()
} finally {
  await operator.close()
  child.disconnect()
}
write()

async function converge(): Promise<void> {
  const before = await requests()
  await ask({ do: 'create', tables: TABLES, slots: SLOTS })
  const seconds = await until(
    'every table is Ready',
    async () => (await ask({ do: 'ready' })).readyTables === TABLES,
  )
  const made = (await requests()).all - before.all
  note(
    `${TABLES} tables created at once, until every one is Ready`,
    `${seconds.toFixed(1)} s, ${made} requests`,
  )
}

async function rest(): Promise<void> {
  await delay(15_000) // What was begun comes to its end.
  const [before, calls, cpu] = [await requests(), plane.calls.length, process.cpuUsage()]
  await delay(SECONDS * 1_000)
  const [after, { user, system }] = [await requests(), process.cpuUsage(cpu)]
  const perMinute = ((after.all - before.all) / SECONDS) * 60
  note(`requests to the API server when nothing changes, a minute, beside the Lease`, `${perMinute.toFixed(1)} (${since(after, before).join(', ') || 'none'} in ${SECONDS} s)`) // biome-ignore format: one line
  note(
    'calls to the control plane meanwhile, a minute',
    (((plane.calls.length - calls) / SECONDS) * 60).toFixed(0),
  )
  note('CPU meanwhile, of one core', `${((user + system) / SECONDS / 10_000).toFixed(1)} %`)
  if (perMinute >= IDLE_REQUESTS_A_MINUTE_MAX) process.exitCode = 1
}

/** From the edit of a table's spec until the control plane has been told. */
async function change(): Promise<void> {
  const took: number[] = []
  for (let index = 0; index < CHANGES; index++) {
    const held = () => plane.state.tables.get(`production.table_${index}`)?.definition.retentionUs
    const startedMs = performance.now()
    await ask({ do: 'edit', table: `table-${index}`, retention: '3h' })
    await until('the catalog knows', () => held() === 3 * 3_600_000_000, 1)
    took.push(performance.now() - startedMs)
  }
  took.sort((left, right) => left - right)
  note(`from the change of a table’s spec until the control plane is told, ${CHANGES} times`, `p50 ${quantile(took, 0.5).toFixed(0)} ms, p99 ${quantile(took, 0.99).toFixed(0)} ms`) // biome-ignore format: one line
}

/** Within its class every figure is the same to status; then all tables change their class at once. */
async function flicker(): Promise<void> {
  await delay(15_000)
  const before = await requests()
  for (let second = 0; second < FLICKER_SECONDS; second++) {
    plane.scene.freshnessUs = BigInt(100_000 + ((second * 97) % 800) * 1_000)
    await delay(1_000)
  }
  const within = since(await requests(), before).filter((one) => one.startsWith('apply'))
  note(`status written while freshness goes up and down within its class, ${FLICKER_SECONDS} s`, within.join(', ') || 'never') // biome-ignore format: one line
  const start = await requests()
  plane.scene.freshnessUs = 5_000_000n
  await delay(30_000)
  const once = since(await requests(), start).filter((one) => one.startsWith('apply'))
  note('status written when every table changes its class', once.join(', '))
}

async function memory(): Promise<void> {
  const passes = await registry.getSingleMetric('truenow_operator_pass_seconds')?.get()
  const of = (kind: string, part: string) =>
    passes?.values.find((one) => 'metricName' in one && one.metricName === `truenow_operator_pass_seconds_${part}` && one.labels.kind === kind)?.value ?? 0 // biome-ignore format: one line
  for (const kind of ['TrueNowCluster', 'Table'])
    note(`one pass over a ${kind}, mean of ${of(kind, 'count')}`, `${((of(kind, 'sum') / of(kind, 'count')) * 1_000).toFixed(1)} ms`) // biome-ignore format: one line
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  note('memory, the stand-in for the control plane included', `${(rss / 2 ** 20).toFixed(0)} MiB resident, ${(heapUsed / 2 ** 20).toFixed(0)} MiB of it in use by JavaScript`) // biome-ignore format: one line
}

function write(): void {
  const [cpu] = cpus()
  const page = [
    '# The operator with many tables',
    '',
    `Written by \`make bench-operator\` on ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${cpu?.model.trim()}: one cluster, ${TABLES} tables of ${SLOTS} slots.`,
    'The whole operator with its own client over HTTP (8 workers, 50 requests a second at most). The API server is in memory, in a process of its own; the control plane',
    'is in memory too, in the same process as the operator. So these are what the operator itself needs and asks, not what an API server or PostgreSQL adds.',
    '',
    '| what | measured |',
    '|---|---|',
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    '',
    'Its client hands out 50 requests a second, so 200 tables that are new at once take as many seconds as their writes need at that rate.',
    'A quiet operator lists every kind again once in 5 to 10 minutes, to find what a watch kept from it, and begins each watch anew after 4 to 8.',
    '',
  ]
  writeFileSync(`${root}/docs/results/operator.md`, page.join('\n'))
}

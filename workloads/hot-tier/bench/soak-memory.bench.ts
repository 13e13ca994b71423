import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { systemClock } from '@truenow/chassis/clock.ts'
import { type Client, createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { AggregateFunction, PlanSchema, Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { decodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import { finalizePartial } from '@truenow/kernels/plan/finalize-partial.ts'
import { Registry } from 'prom-client'
import { definition, eventBlock, SPAN_US, START_US } from './event-blocks.ts'

/*
 * One shard, a process of its own with a memory budget, gets more events than fit, as fast as it takes them, for SECONDS. Its log is
 * endless: an hour of event time holds LOG_ROWS rows, several times the budget. Each second the kernel is asked for the process's resident
 * set, and the shard for the rows from `retained_from_us` on: they must be all that the log has there up to the answer's own positions.
 */
const SECONDS = Number(process.env.SECONDS ?? 600)
const MEMORY_GB = Number(process.env.MEMORY_GB ?? 0.5)
const BLOCK_ROWS = 2_000
const LOG_ROWS = 100_000_000
const WORKERS = Number(process.env.WORKERS ?? 1)
/** As in the image (Dockerfile). */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' }
/** A shard that syncs its snapshots on a busy disk is slow; here only its memory is judged. */
const PATIENCE = { timeoutMs: 120_000 }
/** The rule: HOT_TIER_MEMORY_GB is all that the process may take, and it may err by so much. */
const OVER_BUDGET_MAX = 0.15
const MIB = 1 << 20

/** Block `offset` of a slot's log. */
function blockAt(slot: number, offset: number) {
  const first = (offset * definition.slots + slot) * BLOCK_ROWS
  return eventBlock(first, BLOCK_ROWS, LOG_ROWS)
}

/** An ingester that makes each block when the shard asks for it. */
async function startIngester() {
  const log = createLog({ role: 'ingester', level: 'ERROR' })
  const health = createHealth({ role: 'ingester', version: 'soak', clock: systemClock })
  const grpc = createGrpcServer({ role: 'ingester', log, registry: new Registry(), health })
  grpc.add(BlockStream, {
    getProgress: async () => ({}),
    subscribe: async function* ({ slot, cursor }, { signal }) {
      for (let offset = Number(cursor?.offset ?? -1n) + 1; !signal.aborted; offset++) {
        const { block, appendTimeUs } = blockAt(slot, offset)
        const value = encodeBlock(1, BLOCK_ROWS, block.columns)
        const place = { previousOffset: BigInt(offset - 1), offset: BigInt(offset), appendTimeUs: BigInt(appendTimeUs), checksum: crc32c(value) } // biome-ignore format: one line
        yield { event: { case: 'block', value: { ...place, value } } }
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  })
  const port = await grpc.listen('127.0.0.1', 0)
  return { address: `127.0.0.1:${port}`, close: grpc.close }
}

type Sample = Readonly<{
  second: number
  rssMib: number
  residentMib: number
  takenMib: number
  heapMib: number
  rows: number
  retainedFromUs: number
  evicted: number
}>

async function soak(directory: string, told: (sample: Sample) => void) {
  const ingester = await startIngester()
  const argv = [
    join(import.meta.dirname, 'soak-shard.ts'),
    directory,
    ingester.address,
    String(MEMORY_GB),
    String(WORKERS),
  ]
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...ENVIRONMENT },
  })
  const exited = once(child, 'exit')
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const { grpcAddress, httpAddress } = JSON.parse(line) as { grpcAddress: string; httpAddress: string }
    const client = createGrpcClient(Shard, grpcAddress)
    const startedMs = performance.now()
    const samples: Sample[] = []
    // A look takes longer than a second where the machine is busy: then there are fewer.
    for (let second = 1; second <= SECONDS; second = Math.ceil((performance.now() - startedMs) / 1_000)) {
      await sleep(Math.max(0, startedMs + second * 1_000 - performance.now()))
      assert.equal(child.exitCode, null, 'the shard lives')
      const sample = { second, ...(await look(child, client, httpAddress)) }
      samples.push(sample)
      told(sample)
    }
    client.close()
    return samples
  } finally {
    child.kill('SIGTERM')
    await exited
    await ingester.close()
  }
}

async function look(child: ChildProcess, client: Client<typeof Shard>, httpAddress: string) {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const rssMib = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024
  const metrics = await (await fetch(`http://${httpAddress}/metrics`)).text()
  const metric = (name: string) => {
    const samples = metrics.matchAll(new RegExp(`^truenow_hot_tier_${name}(?:\\{.*)? (\\d+)$`, 'gm'))
    return [...samples].reduce((sum, [, value]) => sum + Number(value), 0)
  }
  const retainedFromUs = await judge(client)
  return {
    rssMib: Math.round(rssMib),
    residentMib: Math.round(metric('resident_bytes') / MIB),
    takenMib: Math.round(metric('arena_bytes_taken') / MIB),
    heapMib: Math.round(metric('heap_bytes') / MIB),
    rows: metric('rows_total\\{outcome="applied",worker="\\d+"\\}'),
    retainedFromUs,
    evicted: metric('evicted_buckets_total'),
  }
}

/** Recounts the rows from `retained_from_us` on, slot by slot, at the positions of the answer; answers the greatest of them. */
async function judge(client: Client<typeof Shard>): Promise<number> {
  let greatest = 0
  for (let slot = 0; slot < definition.slots; slot++) {
    const asked = [{ slot, epoch: 1n, incarnation: 1n, shards: [0], atLeastOffset: -1n }]
    const table = { namespace: definition.namespace, name: definition.name }
    const { slots: state } = await client.getSlots({}, PATIENCE)
    const fromUs = Number(state.find((one) => one.slot === slot)?.retainedFromUs ?? 0n)
    const shape = { case: 'aggregate' as const, value: { aggregates: [{ function: AggregateFunction.COUNT, column: '' }] } } // biome-ignore format: one line
    const plan = create(PlanSchema, { tableVersion: 1, startUs: BigInt(fromUs), endUs: BigInt(START_US + 10 * SPAN_US), shape }) // biome-ignore format: one line
    const answer = await client.executePartial({ table, slots: asked, plan }, PATIENCE)
    const [own] = answer.slots
    const final = finalizePartial(plan, definition, decodeColumnBatch(answer.batch))
    greatest = Math.max(greatest, fromUs)
    // More may have left between question and answer; then the answer itself says that it does not hold all that was asked.
    if (Number(own?.retainedFromUs) !== fromUs) continue
    assert.equal(final.value(0, 0), expectedRows(slot, Number(own?.cursor?.offset), fromUs), `slot ${slot} from ${fromUs}`) // biome-ignore format: one line
  }
  return greatest
}

const counted = new Map<number, { offset: number; times: Float64Array[] }>()
/** Rows of a slot's log up to an offset with an event time from `fromUs` on. Older blocks are forgotten as they leave. */
function expectedRows(slot: number, offset: number, fromUs: number): number {
  const known = counted.get(slot) ?? { offset: -1, times: [] }
  counted.set(slot, known)
  while (known.offset < offset) {
    known.offset += 1
    known.times.push(blockAt(slot, known.offset).codes.times)
  }
  while (known.times[0]?.every((timeUs) => timeUs < fromUs)) known.times.shift()
  let rows = 0
  for (const times of known.times) for (const timeUs of times) if (timeUs >= fromUs) rows += 1
  return rows
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-soak-'))
  try {
    const samples = await soak(directory, (sample) => {
      if (sample.second % 10 === 0) console.log(JSON.stringify(sample))
    })
    const budgetMib = MEMORY_GB * 1_024
    const most = samples.reduce((greatest, { rssMib }) => Math.max(greatest, rssMib), 0)
    writeFileSync(
      join(import.meta.dirname, '../../../docs/results/memory.md'),
      report(samples, budgetMib, most),
    )
    const last = samples.at(-1)
    assert.ok((last?.evicted ?? 0) > 0, 'nothing had to leave: more seconds, or less memory')
    assert.ok(
      most <= mostAllowed(budgetMib),
      `${most} MiB resident, at most ${mostAllowed(budgetMib)} are allowed`,
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const mostAllowed = (budgetMib: number) => Math.round(budgetMib * (1 + OVER_BUDGET_MAX))

function report(samples: readonly Sample[], budgetMib: number, most: number): string {
  const step = Math.max(1, Math.floor(samples.length / 20))
  const rows = samples.filter((_, at) => at % step === step - 1).map(({ second, rssMib, residentMib, takenMib, heapMib, rows, retainedFromUs, evicted }) =>
    `| ${second} | ${rssMib} | ${residentMib} | ${takenMib} | ${heapMib} | ${(rows / 1e6).toFixed(1)} | ${evicted} | ${retainedFromUs < START_US ? 'all' : Math.round((retainedFromUs - START_US) / 1e6)} |`) // biome-ignore format: a table
  return [
    '# More events than memory holds',
    '',
    `Written by \`make soak-memory\` (\`SECONDS=${SECONDS} MEMORY_GB=${MEMORY_GB} WORKERS=${WORKERS}\`), Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared with other work.`,
    `One shard, a process of its own, with a budget of ${budgetMib} MiB for all of it and ${WORKERS} worker thread(s), gets blocks as fast as it takes them; an hour of event time holds ${LOG_ROWS / 1e6} M rows. Each second, or less often where a look takes longer, the rows from`,
    '`retained_from_us` on are counted by the shard, slot by slot, and recounted from the log at the positions of its answer: **all were equal**.',
    `The resident set was **${most} MiB** at most; the rule is the budget and ${OVER_BUDGET_MAX * 100} %: ${mostAllowed(budgetMib)} MiB.${most > mostAllowed(budgetMib) ? ' **It was broken.**' : ''}`,
    '',
    '| second | resident set, MiB | rows, texts, ids, MiB | taken by arenas, MiB | live heap of workers, MiB | rows applied, M | buckets that left | retained from, s of the log |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

await main()

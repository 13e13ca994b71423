import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs' // biome-ignore format: one line
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@truenow/chassis/free-port.ts'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { fold, logOf, seededRandom, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import type { ChaosLine, ChaosTask, Stands } from './chaos-shard.ts'
import type { KilledAt } from './kill-at-call.ts'

/** Hundreds of processes load the same modules. */
const NODE_COMPILE_CACHE = join(import.meta.dirname, '../../../../.cache/chaos')
const RECORDS = 240
const CALLS_MAX = 160
const COPY_CALLS_MAX = 60
const FAST = 100_000_000
/** A copy then takes some tenths of a second: time to be killed in. */
const SLOW = 150_000

export type Scenario = keyof typeof SCENARIOS
export type ChaosRun = Readonly<{
  scenario: Scenario
  seed: number
  /** Where each kill fell; of one from outside only when. */
  kills: readonly string[]
  /** What was done to the volume; empty = nothing. */
  damage: string
  refused: number
  taken: number
  startedOver: number
  failedSnapshots: number
}>

/** What a run has at hand: its own random numbers, directory, and what a replica that nothing ever happened to is like. */
type Stage = Readonly<{
  seed: number
  root: string
  below: (bound: number) => number
  expected: Readonly<{ offset: number; hash: string; origin: number }>
  start: (task: Partial<ChaosTask> & Pick<ChaosTask, 'directory'>) => ShardProcess
  ports: Readonly<Record<number, number>>
  seen: { kills: string[]; damage: string; refused: number; taken: number; startedOver: number; failedSnapshots: number }
}> // biome-ignore format: as a table

/** One of the scenarios by its seed: it ends only if every shard stands where it would if nothing had happened. */
export async function runChaos(scenario: Scenario, seed: number): Promise<ChaosRun> {
  const random = seededRandom(seed)
  for (let turn = 0; turn < 20; turn++) random() // Neighbouring seeds begin alike.
  const root = mkdtempSync(join(tmpdir(), 'truenow-chaos-'))
  const records = logOf(seed, RECORDS)
  const [first] = VERSIONS as [(typeof VERSIONS)[0]]
  const replica = new SlotReplica(first)
  for (const record of records) fold(replica, record)
  const { cursor, originOffset } = replica
  const ports = { 0: await freePort(), 1: await freePort() }
  const started: ShardProcess[] = []
  const stage: Stage = {
    seed,
    root,
    below: (bound) => Math.floor(random() * bound),
    expected: { offset: cursor.offset, hash: replica.stateHash(), origin: originOffset },
    ports,
    start: (task) => {
      const own = new ShardProcess({ seed, records: RECORDS, shard: 0, ports: { 0: ports[0] }, serving: [0], startOffset: 0, copyBytesPerSecond: FAST, ...task }) // biome-ignore format: one line
      started.push(own)
      return own
    },
    seen: { kills: [], damage: '', refused: 0, taken: 0, startedOver: 0, failedSnapshots: 0 },
  }
  try {
    await SCENARIOS[scenario](stage)
    return { scenario, seed, ...stage.seen }
  } catch (cause) {
    throw new Error(`chaos: ${scenario}, SEED=${seed}: ${(cause as Error).message}`, { cause })
  } finally {
    await Promise.all(started.map((shard) => shard.kill()))
    rmSync(root, { recursive: true, force: true })
  }
}

/** Two kills, then to the end. */
async function killedAtCalls(stage: Stage): Promise<void> {
  const directory = join(stage.root, 'volume')
  for (let kill = 0; kill < 2; kill++) {
    const shard = stage.start({ directory, kill: { call: 1 + stage.below(CALLS_MAX), isDone: stage.below(2) === 1 } }) // biome-ignore format: one line
    await expectOrKilled(stage, shard)
  }
  await comesToTheEnd(stage, stage.start({ directory }))
}

async function killedAtTimes(stage: Stage): Promise<void> {
  const directory = join(stage.root, 'volume')
  for (let kill = 0; kill < 2; kill++) {
    const shard = stage.start({ directory })
    await shard.told('listens')
    const ms = stage.below(600)
    await sleep(ms)
    await shard.kill()
    stage.seen.kills.push('from outside')
  }
  await comesToTheEnd(stage, stage.start({ directory }))
}

/** A file of the volume is damaged while the shard is dead; the log is whole. */
async function damagedWithLog(stage: Stage): Promise<void> {
  const directory = join(stage.root, 'volume')
  const shard = stage.start({ directory })
  await shard.told('durable')
  await shard.kill()
  damageOne(stage, directory)
  await comesToTheEnd(stage, stage.start({ directory }))
}

/** The same, but the log has nothing any more: only a peer can help. */
async function damagedWithPeer(stage: Stage): Promise<void> {
  const { ports, expected } = stage
  const [own, other] = [join(stage.root, 'volume'), join(stage.root, 'peer')]
  const both = { ports, serving: [0, 1] }
  const shards = [
    stage.start({ ...both, directory: own }),
    stage.start({ ...both, shard: 1, directory: other }),
  ]
  for (const shard of shards) await shard.told('durable')
  await shards[0]?.kill()
  damageOne(stage, own)
  await comesToTheEnd(stage, stage.start({ ...both, directory: own, startOffset: expected.offset + 1 }))
}

async function takerKilled(stage: Stage): Promise<void> {
  const { ports, expected } = stage
  const giver = stage.start({ directory: join(stage.root, 'giver'), ports })
  await giver.told('durable')
  const task = { shard: 1, ports, directory: join(stage.root, 'taker'), startOffset: expected.offset + 1 }
  for (let kill = 0; kill < 2; kill++) {
    const call = 1 + stage.below(COPY_CALLS_MAX)
    const taker = stage.start({ ...task, kill: { call, isDone: stage.below(2) === 1 } })
    await expectOrKilled(stage, taker)
  }
  await comesToTheEnd(stage, stage.start({ ...task, serving: [0, 1] }))
}

async function giverKilled(stage: Stage): Promise<void> {
  const { ports, expected } = stage
  const directory = join(stage.root, 'giver')
  const giver = stage.start({ directory, ports, copyBytesPerSecond: SLOW })
  await giver.told('durable')
  const taker = stage.start({ shard: 1, ports, directory: join(stage.root, 'taker'), startOffset: expected.offset + 1 }) // biome-ignore format: one line
  await taker.told('copies')
  await sleep(stage.below(300))
  await giver.kill()
  stage.seen.kills.push('the giver, from outside')
  stage.start({ directory, ports, startOffset: expected.offset + 1 })
  await comesToTheEnd(stage, taker)
}

/** The shard goes on, and writes again once there is room. */
async function diskFull(stage: Stage): Promise<void> {
  await withFullDisk(stage, 12 + 4 * stage.below(2), async (directory, makeRoom) => {
    const shard = stage.start({ directory })
    const line = await shard.told('at the end')
    assertStands(stage, line)
    assert.ok(line.failed > 0, 'the volume was never full')
    stage.seen.failedSnapshots += line.failed
    makeRoom()
    assertStands(stage, await shard.told('durable'))
    await shard.kill()
    await comesToTheEnd(stage, stage.start({ directory }))
  })
}

/** No copy has room: the log is read instead. */
async function takerDiskFull(stage: Stage): Promise<void> {
  const { ports, root } = stage
  const giver = stage.start({ directory: join(root, 'giver'), ports })
  await giver.told('durable')
  await withFullDisk(stage, 8, async (directory, makeRoom) => {
    const taker = stage.start({ shard: 1, ports, directory })
    const line = await taker.told('at the end')
    assertStands(stage, line)
    assert.deepEqual([line.taken, line.failed > 0], [0, true], 'the volume was never full')
    stage.seen.failedSnapshots += line.failed
    makeRoom()
    await comesToTheEnd(stage, taker)
  })
}

/** A disk of 1 MiB with room for a few files only, each a page of 4 KiB at least, until `makeRoom`. Needs root. */
async function withFullDisk(
  stage: Stage,
  roomKib: number,
  body: (directory: string, makeRoom: () => void) => Promise<void>,
): Promise<void> {
  const disk = join(stage.root, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
  try {
    const filler = join(disk, 'filler')
    writeFileSync(filler, Buffer.alloc((1_024 - roomKib) << 10))
    await body(join(disk, 'volume'), () => rmSync(filler))
  } finally {
    execFileSync('umount', ['-l', disk])
  }
}

const SCENARIOS = {
  'killed at a call': killedAtCalls,
  'killed at any time': killedAtTimes,
  'damaged, the log heals': damagedWithLog,
  'damaged, a peer heals': damagedWithPeer,
  'taker killed': takerKilled,
  'giver killed': giverKilled,
  'disk full': diskFull,
  'disk of the taker full': takerDiskFull,
} as const

/** What else it would be, a shard that dies by its own hand before the end, or comes there. */
async function expectOrKilled(stage: Stage, shard: ShardProcess): Promise<void> {
  const line = await Promise.race([shard.told('durable'), shard.exited])
  if (line === undefined) stage.seen.kills.push(shard.killedAt())
  else {
    assertStands(stage, line)
    await shard.kill()
    stage.seen.kills.push('at the end')
  }
}

async function comesToTheEnd(stage: Stage, shard: ShardProcess): Promise<void> {
  const line = await shard.told('durable')
  assertStands(stage, line)
  await shard.kill()
  const { seen } = stage
  seen.refused += line.refused
  seen.taken += line.taken
  seen.startedOver += line.startedOver
}

function assertStands({ expected }: Stage, { offset, hash, origin, gaps }: Stands): void {
  assert.deepEqual({ offset, hash, origin, gaps }, { ...expected, gaps: 0 })
}

/** Damages one file of the volume, each kind as often as the others: a bit is flipped, the end is lost, or all of it. */
function damageOne({ below, seen }: Stage, directory: string): void {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(bin|json)$/.test(path)) // biome-ignore format: one line
  const kinds = Map.groupBy(paths, (path) => /(manifest|bucket|ids|pack|run|identity)[^/]*$/.exec(path)?.[1] ?? 'other') // biome-ignore format: one line
  const kind = [...kinds.keys()].toSorted()[below(kinds.size)] as string
  const ofKind = (kinds.get(kind) ?? []).toSorted()
  const path = join(directory, ofKind[below(ofKind.length)] as string)
  const size = readFileSync(path).length
  const how = ['flipped', 'truncated', 'deleted'][below(3)] as string
  if (how === 'deleted') rmSync(path)
  else if (how === 'truncated') truncateSync(path, below(size))
  else flipBit(path, below(size), below(8))
  seen.damage = `${kind}, ${how}`
}

function flipBit(path: string, at: number, bit: number): void {
  const byte = (readFileSync(path)[at] ?? 0) ^ (1 << bit)
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.of(byte), 0, 1, at)
  closeSync(file)
}

class ShardProcess {
  readonly exited: Promise<undefined>
  private readonly child: ChildProcess
  private readonly lines: ChaosLine[] = []
  private readonly waiting = new Set<() => void>()
  private errors = ''
  private hasExited = false

  constructor(task: ChaosTask) {
    const argv = [join(import.meta.dirname, 'chaos-shard.ts'), JSON.stringify(task)]
    const env = { ...process.env, NODE_COMPILE_CACHE }
    this.child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.exited = new Promise((resolve) => {
      this.child.once('close', () => {
        this.hasExited = true
        this.wake()
        resolve(undefined)
      })
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as ChaosLine)
      this.wake()
    })
  }

  /** The line of that kind. Rejects when the process ended without it, unless it killed itself. */
  async told(kind: 'listens' | 'copies'): Promise<ChaosLine>
  async told(kind: Stands['kind']): Promise<Stands>
  async told(kind: ChaosLine['kind']): Promise<ChaosLine> {
    for (;;) {
      const line = this.lines.find((one) => one.kind === kind)
      if (line !== undefined) return line
      if (this.hasExited && this.child.signalCode === 'SIGKILL') await new Promise(() => {}) // `exited` has it.
      if (this.hasExited) throw new Error(`the shard ended by itself before '${kind}': ${this.errors}`)
      await new Promise<void>((resolve) => this.waiting.add(resolve))
    }
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }

  /** Where it killed itself. */
  killedAt(): string {
    assert.equal(this.child.signalCode, 'SIGKILL', `it ended otherwise: ${this.errors}`)
    const { call, file } = JSON.parse(this.errors.trim().split('\n').at(-1) ?? '') as KilledAt
    return `${call}: ${file}`
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve()
    this.waiting.clear()
  }
}

/** Shares of a hundred runs. */
const SHARES: Readonly<Record<Scenario, number>> = {
  'killed at a call': 30,
  'killed at any time': 15,
  'damaged, the log heals': 15,
  'damaged, a peer heals': 10,
  'taker killed': 15,
  'giver killed': 8,
  'disk full': 4,
  'disk of the taker full': 3,
}
const SHARDS_AT_ONCE = 2

/** `make chaos`: RUNS (200) and SEED may be given. Writes docs/results/crash.md. */
async function main(): Promise<void> {
  const count = Number(process.env.RUNS ?? 200)
  const firstSeed = Number(process.env.SEED ?? 20_261_126)
  const scenarios = Object.entries(SHARES).flatMap(([name, share]) => Array.from({ length: Math.max(1, Math.round((count * share) / 100)) }, () => name as Scenario)) // biome-ignore format: one line
  const startedMs = performance.now()
  const runs: ChaosRun[] = []
  let next = 0
  const worker = async () => {
    while (next < scenarios.length) {
      const at = next++
      const run = await runChaos(scenarios[at] as Scenario, firstSeed + at)
      runs.push(run)
      console.log(JSON.stringify(run))
    }
  }
  await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, worker))
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  writeFileSync(
    join(import.meta.dirname, '../../../../docs/results/crash.md'),
    chaosReport(runs, firstSeed, seconds),
  )
}

/** The page of results; all runs were good, or there would be none. */
export function chaosReport(runs: readonly ChaosRun[], seed: number, seconds: number): string {
  const sum = (some: readonly ChaosRun[], of: (run: ChaosRun) => number) => some.reduce((total, run) => total + of(run), 0) // biome-ignore format: one line
  const byScenario = [...Map.groupBy(runs, ({ scenario }) => scenario)].map(([scenario, some]) =>
    `| ${scenario} | ${some.length} | ${sum(some, ({ kills }) => kills.length)} | ${sum(some, ({ refused }) => refused)} | ${sum(some, ({ startedOver }) => startedOver)} | ${sum(some, ({ taken }) => taken)} | ${sum(some, ({ failedSnapshots }) => failedSnapshots)} |`) // biome-ignore format: a table
  const counted = (all: readonly string[]) =>
    [...Map.groupBy(all, (one) => one)]
      .map(([what, some]) => [what, some.length] as const)
      .toSorted(([a, many], [b, more]) => more - many || a.localeCompare(b))
      .map(([what, times]) => `| ${what} | ${times} |`)
  const kills = counted(runs.flatMap((run) => run.kills))
  const damages = counted(runs.map(({ damage }) => damage).filter((damage) => damage !== ''))
  return [
    '# Shards that are killed, and volumes that are damaged',
    '',
    `Written by \`make chaos\` (\`RUNS=${runs.length} SEED=${seed}\`), Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared with other work; ${seconds} seconds.`,
    `Each run is one seed: whole shards as processes, with real files and real gRPC, that follow a random log of ${RECORDS} records. A run passes only if every shard`,
    'that is started again comes to the state hash of a replica to which nothing ever happened. **All did.** A SIGKILL keeps what the kernel has not written yet, so it',
    'proves the order of writes and renames, not that of a power cut.',
    '',
    '| scenario | runs | kills | snapshots refused | started over for a run of ids | copies taken | snapshots that found the disk full |',
    '|---|---|---|---|---|---|---|',
    ...byScenario,
    '',
    '| killed in the midst of | times |',
    '|---|---|',
    ...kills,
    '',
    '| damaged | times |',
    '|---|---|',
    ...damages,
    '',
  ].join('\n')
}

if (import.meta.main) await main()

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log } from '@truenow/chassis/log.ts'
import fc from 'fast-check'
import { KubernetesError } from './kubernetes-port.ts'
import { createLeaderLease } from './leader-lease.ts'
import type { Scheduler } from './scheduler.ts'
import { createFakeLeases } from './testing/fake-leases.ts'
import { createFakeTime } from './testing/fake-time.ts'

const log: Log = { debug() {}, info() {}, warn() {}, error() {} }
/** What becomes of one request: ms to the server and back, or that it does not arrive, or its answer does not. */
type Fate = Readonly<{ thereMs: number; backMs: number; lost?: 'request' | 'answer' }>
const quick: Fate = { thereMs: 0, backMs: 0 }

function scene(random: () => number = () => 0.5) {
  const time = createFakeTime()
  const leases = createFakeLeases()
  const candidate = (identity: string, fate: () => Fate = () => quick) => {
    let frozen: Array<() => void> | undefined
    let losses = 0
    // A frozen process runs nothing; what was due meanwhile runs when it goes on, and requests under way go on without it.
    const whenAwake = (run: () => void) => (frozen === undefined ? run() : void frozen.push(run))
    const scheduler: Scheduler = { after: (ms, run) => time.scheduler.after(ms, () => whenAwake(run)) }
    const wait = (ms: number) => new Promise<void>((resolve) => time.scheduler.after(ms, resolve))
    const on = async <Answer>(act: () => Answer): Promise<Answer> => {
      const { thereMs, backMs, lost } = fate()
      const answer = (async () => {
        await wait(thereMs)
        if (lost === 'request') throw new KubernetesError('lost', { status: 0, reason: 'Unreachable' })
        const answer = act()
        await wait(backMs)
        if (lost === 'answer') throw new KubernetesError('lost', { status: 0, reason: 'Unreachable' })
        return answer
      })()
      await answer.catch(() => {})
      await new Promise<void>(whenAwake)
      return answer
    }
    const lease = createLeaderLease(leases.port(on), {
      namespace: 'n',
      name: 'operator',
      identity,
      clock: time.clock,
      scheduler,
      random,
      log,
      onLost: () => {
        losses += 1
      },
    })
    return {
      ...lease,
      losses: () => losses,
      freeze: () => {
        frozen ??= []
      },
      thaw: () => {
        const due = frozen ?? []
        frozen = undefined
        for (const run of due) run()
      },
    }
  }
  /** Closes all; their last requests take time, which does not pass by itself here. */
  const close = async (...all: ReadonlyArray<{ close: () => Promise<void> }>) => {
    const closing = Promise.all(all.map((each) => each.close()))
    await time.advance(0)
    await closing
  }
  return { ...time, leases, candidate, close }
}
const signal = () => new AbortController().signal

test('createLeaderLease: the first leads, the second waits and names the first', async () => {
  const { candidate, advance, leases, close } = scene()
  const a = candidate('a')
  await advance(1)
  await a.whenLeader(signal())
  const b = candidate('b')
  await advance(60_000)
  assert.deepEqual([a.isLeader(), b.isLeader(), b.holder(), a.holder()], [true, false, 'a', 'a'])
  assert.deepEqual(a.term(), { createdAt: '2026-01-01T00:00:00Z', transitions: 0 })
  assert.equal(b.term(), undefined)
  assert.match(leases.read()?.spec.renewTime ?? '', /^2026-01-01T00:01:00\.\d{6}Z$|^2026-01-01T00:00:5/)
  await close(a, b)
})

test('createLeaderLease: a leader that falls silent is followed after its lease, and transitions grow', async () => {
  const { candidate, advance, close } = scene()
  const a = candidate('a')
  await advance(1)
  const b = candidate('b')
  await advance(5_000)
  a.freeze()
  await advance(12_000)
  assert.deepEqual([a.isLeader(), b.isLeader()], [false, false], 'the lease is over for neither yet')
  await advance(10_000)
  assert.deepEqual([b.isLeader(), b.term()?.transitions], [true, 1])
  a.thaw()
  await advance(5_000)
  assert.deepEqual([a.isLeader(), a.losses(), b.isLeader(), b.losses()], [false, 1, true, 0])
  await assert.rejects(a.whenLeader(signal()), /does not lead/)
  await close(a, b)
  assert.equal(a.losses(), 1)
})

test('createLeaderLease: frozen and awake again, the clock alone says no, before anything else ran, and for good', async () => {
  const { candidate, advance, close } = scene()
  const a = candidate('a')
  await advance(1)
  assert.equal(a.isLeader(), true)
  a.freeze()
  await advance(10_001)
  assert.equal(a.isLeader(), false)
  a.thaw()
  await advance(30_000)
  assert.deepEqual([a.isLeader(), a.losses()], [false, 1])
  await close(a)
})

test('createLeaderLease: close releases, and the next takes over at its next look', async () => {
  const { candidate, advance, leases, close } = scene()
  const a = candidate('a')
  await advance(1)
  const b = candidate('b')
  await advance(3_000)
  const closing = a.close()
  assert.equal(a.isLeader(), false, 'before the record says so')
  await advance(0)
  await closing
  assert.equal(leases.read()?.spec.holderIdentity, '')
  await advance(5_000)
  assert.deepEqual([b.isLeader(), b.term()?.transitions, a.losses()], [true, 1, 0])
  await close(b)
})

test('createLeaderLease: an API server that is away costs the lead at the renew deadline, once', async () => {
  let away = false
  const { candidate, advance, close } = scene()
  const a = candidate('a', () => (away ? { ...quick, lost: 'request' } : quick))
  await advance(4_001)
  away = true
  await advance(9_900)
  assert.equal(a.isLeader(), true)
  await advance(2_200)
  assert.deepEqual([a.isLeader(), a.losses()], [false, 1])
  away = false
  await advance(60_000)
  assert.deepEqual([a.isLeader(), a.losses()], [false, 1])
  await close(a)
})

test('createLeaderLease: a lost answer is no lost lease; a stranger’s label neither', async () => {
  let lost = true
  const { candidate, advance, leases, close } = scene()
  const a = candidate('a', () => {
    const fate: Fate = lost ? { ...quick, lost: 'answer' } : quick
    return fate
  })
  await advance(10_000)
  assert.equal(a.isLeader(), false)
  lost = false
  await advance(20_000)
  assert.deepEqual([a.isLeader(), a.term()?.transitions], [true, 0])
  const held = leases.read()!
  leases.replace({ ...held, metadata: { ...held.metadata, labels: { hello: 'there' } } })
  await advance(30_000)
  assert.deepEqual([a.isLeader(), a.losses()], [true, 0])
  assert.deepEqual(leases.read()?.metadata.labels, { hello: 'there' })
  await close(a)
})

test('createLeaderLease: a deleted Lease ends the lead; who has seen it held waits for its holder to notice', async () => {
  const { candidate, advance, leases, close } = scene()
  const a = candidate('a')
  await advance(1)
  const b = candidate('b')
  await advance(5_000)
  leases.remove()
  await advance(2_000)
  assert.deepEqual([a.isLeader(), a.losses(), b.isLeader()], [false, 1, false])
  await advance(20_000)
  assert.equal(b.isLeader(), true)
  await close(a, b)
})

test('createLeaderLease: an answer counts from its question: one that comes late gives no lead', async () => {
  let backMs = 30_000
  const { candidate, advance, close } = scene()
  const a = candidate('a', () => ({ thereMs: 0, backMs }))
  await advance(30_001)
  const b = candidate('b')
  await advance(30_000)
  assert.deepEqual([a.isLeader(), b.isLeader()], [false, true], 'a took it at 30 s and heard of it at 60 s')
  backMs = 0
  await advance(5_000)
  assert.deepEqual([a.isLeader(), a.holder(), a.losses()], [false, 'b', 0])
  await close(a, b)
})

test('createLeaderLease: whenLeader ends with its signal, and with close', async () => {
  const { candidate, advance, close } = scene()
  const a = candidate('a')
  await advance(1)
  const b = candidate('b')
  const gone = new AbortController()
  const waiting = assert.rejects(b.whenLeader(gone.signal), /enough/)
  gone.abort(new Error('enough'))
  await waiting
  const closed = assert.rejects(b.whenLeader(signal()), /does not lead/)
  await Promise.all([close(a, b), closed])
})

test('createLeaderLease: never two leaders at once, however requests and processes stall', async () => {
  const delay = fc.oneof(
    { weight: 4, arbitrary: fc.nat(50) },
    { weight: 1, arbitrary: fc.integer({ min: 4_000, max: 40_000 }) },
  )
  const lost = fc.constantFrom<undefined | 'request' | 'answer'>(
    undefined,
    undefined,
    undefined,
    'request',
    'answer',
  )
  const fates = fc.array(fc.record({ thereMs: delay, backMs: delay, lost }), { minLength: 1, maxLength: 12 })
  const step = fc.record({
    ms: fc.nat(9_000),
    who: fc.nat(2),
    does: fc.constantFrom('freeze', 'freeze', 'thaw', 'thaw', 'nothing', 'nothing', 'restart', 'close'),
  })
  let led = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40 }),
      fc.array(fates, { minLength: 3, maxLength: 3 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (steps, fates, randoms) => {
        const { candidate, advance } = scene(() => randoms.next().value)
        let starts = 0
        const start = (place: number) => {
          let drawn = 0
          return candidate(`${place}-${starts++}`, () => {
            const { thereMs, backMs, lost } = fates[place]![drawn++ % fates[place]!.length]!
            return { thereMs, backMs, ...(lost && { lost }) }
          })
        }
        const all = [0, 1, 2].map(start)
        const acting = [...all]
        const closings: Promise<void>[] = []
        for (const { ms, who, does } of steps) {
          if (does === 'freeze') acting[who]!.freeze()
          if (does === 'thaw') acting[who]!.thaw()
          if (does === 'close') closings.push(acting[who]!.close())
          if (does === 'restart') {
            acting[who] = start(who) // The old one lives on: a zombie.
            all.push(acting[who]!)
          }
          for (let passed = 0; passed < ms; passed += 500) {
            await advance(Math.min(500, ms - passed))
            const leaders = all.filter((each) => each.isLeader())
            assert.ok(leaders.length <= 1)
            led += leaders.length
            assert.ok(all.every((each) => each.losses() <= 1))
          }
        }
        for (const each of all) each.thaw()
        closings.push(...all.map((each) => each.close()))
        await advance(200_000)
        await Promise.all(closings)
        assert.ok(all.every((each) => !each.isLeader()))
      },
    ),
    { numRuns: 100 },
  )
  assert.ok(led > 100, `only ${led} moments with a leader: this test saw too little`)
})

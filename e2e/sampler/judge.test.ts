import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../load/seeded-random.ts'
import { judge, judgeAll, type LogRow, type Sample, type SlotLogs, sumLogs } from './judge.ts'

const SLOTS = 4
const START_US = 1_000_000
const END_US = 2_000_000

/** A log of 4 slots with duplicates and times inside and outside the asked range. */
function someLogs(seed: number): Map<number, LogRow[]> {
  const random = seededRandom(seed)
  const logs = new Map<number, LogRow[]>()
  for (let slot = 0; slot < SLOTS; slot++) {
    const rows: LogRow[] = []
    for (let index = 0; index < 200; index++) {
      const earlier = rows[Math.floor(random() * rows.length)]
      const row = {
        offset: Math.floor(index / 3),
        id: `${slot}-${index}`,
        timeUs: 900_000 + Math.floor(random() * 1_200_000),
        region: random() < 0.5 ? 'us-east' : 'eu-central',
        items: 1 + Math.floor(random() * 9),
        revenue: Math.floor(random() * 100),
      }
      rows.push(earlier !== undefined && random() < 0.05 ? { ...earlier, offset: row.offset } : row)
    }
    logs.set(slot, rows)
  }
  return logs
}

/** Row by row from the first one: each id once, by the first row that has it. */
function recountPlainly(logs: SlotLogs, offset: number, slots: number) {
  const totals: Record<string, { region: string; count: number; sum_items: number; sum_revenue: number }> = {}
  for (let slot = 0; slot < slots; slot++) {
    const seen = new Set<string>()
    for (const row of logs.get(slot) ?? []) {
      if (row.offset > offset || seen.has(row.id)) continue
      seen.add(row.id)
      if (row.timeUs < START_US || row.timeUs >= END_US) continue
      const { region } = row
      totals[region] ??= { region, count: 0, sum_items: 0, sum_revenue: 0 }
      totals[region].count += 1
      totals[region].sum_items += row.items
      totals[region].sum_revenue += row.revenue
    }
  }
  return Object.values(totals)
}

function honest(logs: SlotLogs, offset: number, slots = SLOTS): Sample & { kind: 'answer' } {
  const positions = Object.fromEntries(Array.from({ length: slots }, (_, slot) => [slot, { offset }]))
  const blank = { kind: 'answer', atMs: 0, startUs: START_US, endUs: END_US, watermarkUs: END_US } as const
  const isWhole = slots === SLOTS
  return { ...blank, complete: isWhole, partial: !isWhole, positions, rows: recountPlainly(logs, offset, slots) } // biome-ignore format: one line
}

const logs = someLogs(1)
const summed = sumLogs(logs, 7)

test('judge: an honest answer is right at any position, complete or not', () => {
  for (let offset = 0; offset < 70; offset += 1)
    for (const stretchRows of [1, 7, 64, 1_024])
      assert.deepEqual(judge(sumLogs(logs, stretchRows), honest(logs, offset)), { verdict: 'right' })
  assert.deepEqual(judge(summed, honest(logs, 50, 3)), { verdict: 'right' })
})

test('judge, canary: a dropped event is wrong', () => {
  const without = new Map(logs)
  const rows = (logs.get(1) ?? []).filter(({ timeUs }) => timeUs >= START_US && timeUs < END_US)
  const unique = rows.find(({ id }) => rows.filter((row) => row.id === id).length === 1)
  without.set(
    1,
    (logs.get(1) ?? []).filter((row) => row !== unique),
  )
  assert.equal(judge(summed, honest(without, 66)).verdict, 'wrong')
})

test('judge, canary: an event counted twice is wrong', () => {
  const doubled = new Map(logs)
  const inside = (logs.get(2) ?? []).find(({ timeUs }) => timeUs >= START_US && timeUs < END_US)
  assert.ok(inside !== undefined)
  doubled.set(2, [...(logs.get(2) ?? []), { ...inside, id: 'counted-again' }])
  assert.equal(judge(summed, honest(doubled, 66)).verdict, 'wrong')
})

test('judge, canary: a shard that lies about its position is wrong', () => {
  const sample = honest(logs, 30)
  const lying = { ...sample, positions: { ...sample.positions, 0: { offset: 60 } } }
  assert.equal(judge(summed, lying).verdict, 'wrong')
})

test('judge, canary: complete without all slots is wrong, and so is a claim of rows that no log holds', () => {
  assert.equal(judge(summed, { ...honest(logs, 50, 3), complete: true }).verdict, 'wrong')
  const sample = honest(logs, 50)
  const more = { region: 'nowhere', count: 1, sum_items: 1, sum_revenue: 1 }
  assert.equal(judge(summed, { ...sample, complete: false, rows: [...sample.rows, more] }).verdict, 'wrong')
})

test('judge: outages are measured from the first bad answer to the next good one', () => {
  const good = honest(logs, 10)
  const at = (atMs: number, kind: 'good' | 'failed' | 'partial'): Sample => {
    if (kind === 'failed') return { kind, reason: 'refused', atMs, startUs: START_US, endUs: END_US }
    return { ...(kind === 'good' ? good : honest(logs, 10, 3)), atMs }
  }
  const samples = [at(0, 'good'), at(100, 'failed'), at(200, 'partial'), at(900, 'good'), at(1_000, 'failed')]
  const { failed, partial, wrong, outage_ms: outageMs } = judgeAll(summed, samples)
  assert.deepEqual({ failed, partial, wrong, outageMs }, { failed: 2, partial: 1, wrong: 0, outageMs: 800 })
})

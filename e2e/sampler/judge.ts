/*
 * The sampler's judge: was an answer right, given the log up to the answer's own positions? It recounts rows it read
 * from Kafka itself, with plain loops; nothing of the engine is used.
 */

/** A row of the log, decoded: where it stands and what the sampler's question asks about. */
export type LogRow = Readonly<{
  offset: number
  id: string
  timeUs: number
  region: string
  items: number
  revenue: number
}>
/** slot → its rows in log order, repeats included. */
export type SlotLogs = ReadonlyMap<number, readonly LogRow[]>
type Total = { count: number; items: number; revenue: number }
type Totals = Map<string, Total>

/** Rows of a log that stand together, and their sums: an answer has most of the log inside its range. */
type Stretch = Readonly<{
  rows: readonly LogRow[]
  lastOffset: number
  firstUs: number
  lastUs: number
  totals: Totals
}>
/** slot → its log as answers are judged by it. */
export type SummedLogs = ReadonlyMap<number, readonly Stretch[]>

const STRETCH_ROWS = 1_024

/**
 * Takes out rows whose id came earlier in their slot, and sums what is left by stretches, so that a run of a thousand answers
 * does not read a million rows for each. What is a repeat is settled by the rows before it: this serves every position alike.
 */
export function sumLogs(logs: SlotLogs, stretchRows = STRETCH_ROWS): SummedLogs {
  const stretchesOf = (rows: readonly LogRow[]) => {
    const seen = new Set<string>()
    const once = rows.filter(({ id }) => seen.size < seen.add(id).size)
    return Array.from({ length: Math.ceil(once.length / stretchRows) }, (_, index) =>
      stretch(once.slice(index * stretchRows, (index + 1) * stretchRows)),
    )
  }
  return new Map([...logs].map(([slot, rows]) => [slot, stretchesOf(rows)]))
}

function stretch(rows: readonly LogRow[]): Stretch {
  const totals: Totals = new Map()
  let [firstUs, lastUs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const row of rows) {
    add(totals, row.region, { count: 1, items: row.items, revenue: row.revenue })
    firstUs = Math.min(firstUs, row.timeUs)
    lastUs = Math.max(lastUs, row.timeUs)
  }
  return { rows, lastOffset: rows.at(-1)?.offset ?? -1, firstUs, lastUs, totals }
}

function add(totals: Totals, region: string, { count, items, revenue }: Total): void {
  const total = totals.get(region) ?? { count: 0, items: 0, revenue: 0 }
  total.count += count
  total.items += items
  total.revenue += revenue
  totals.set(region, total)
}

export type Sample = Readonly<{
  /** ms since the sampler began. */
  atMs: number
  startUs: number
  endUs: number
}> &
  (
    | Readonly<{ kind: 'failed'; reason: string }>
    | Readonly<{
        kind: 'answer'
        complete: boolean
        partial: boolean
        /** Of a partial answer. */
        missing_slots?: ReadonlyArray<Readonly<{ slot: number; reason: string }>>
        positions: Readonly<Record<string, Readonly<{ offset: number }>>>
        rows: ReadonlyArray<
          Readonly<{ region: string; count: number; sum_items: number; sum_revenue: number }>
        >
        watermarkUs: number | null
      }>
  )

type Answered = Extract<Sample, { kind: 'answer' }>
export type Verdict = 'right' | 'failed' | 'wrong'

/** Rows of each slot up to its position, each id once, inside the asked range, by region. */
function recountLog(logs: SummedLogs, sample: Sample & { kind: 'answer' }): Totals {
  const { startUs, endUs } = sample
  const totals: Totals = new Map()
  for (const [slot, { offset: position }] of Object.entries(sample.positions)) {
    for (const { rows, lastOffset, firstUs, lastUs, totals: sums } of logs.get(Number(slot)) ?? []) {
      if (lastOffset <= position && firstUs >= startUs && lastUs < endUs) {
        for (const [region, sum] of sums) add(totals, region, sum)
        continue
      }
      for (const { offset, timeUs, region, items, revenue } of rows) {
        if (offset > position) break
        if (timeUs >= startUs && timeUs < endUs) add(totals, region, { count: 1, items, revenue })
      }
    }
  }
  return totals
}

/**
 * `wrong`: at its own positions the answer differs from the recount. That is stricter than the promise for incomplete
 * answers, which may hold less than the log: a replica is a pure function of the log, so inside the retention it never
 * does. A `complete` answer that lacks a slot is wrong as well.
 */
export function judge(logs: SummedLogs, sample: Sample): { verdict: Verdict; why?: string } {
  if (sample.kind === 'failed') return { verdict: 'failed', why: sample.reason }
  if (sample.complete && (sample.partial || Object.keys(sample.positions).length !== logs.size)) {
    return {
      verdict: 'wrong',
      why: `complete with ${Object.keys(sample.positions).length} of ${logs.size} slots`,
    }
  }
  const expected = recountLog(logs, sample)
  const found: Totals = new Map()
  for (const { region, count, sum_items: items, sum_revenue: revenue } of sample.rows) {
    if (count > 0) found.set(region, { count, items, revenue })
  }
  for (const region of new Set([...expected.keys(), ...found.keys()])) {
    const [want, have] = [JSON.stringify(expected.get(region)), JSON.stringify(found.get(region))]
    if (want !== have) return { verdict: 'wrong', why: `${region}: the log says ${want}, the answer ${have}` }
  }
  return { verdict: 'right' }
}

export type Judgement = Readonly<{
  samples: number
  wrong: number
  partial: number
  incomplete: number
  failed: number
  /** Longest stretch, from the first failed or partial answer to the next good one. */
  outage_ms: number
  reasons: readonly string[]
}>

const REASONS_MAX = 10
const whyPartial = ({ missing_slots: missing = [] }: Readonly<Pick<Answered, 'missing_slots'>>): string =>
  missing.map(({ slot, reason }) => `slot ${slot}: ${reason}`).join('; ')

/** Judges all samples of a run; `reasons` holds the first few that were wrong, failed or partial. */
export function judgeAll(logs: SummedLogs, samples: readonly Sample[]): Judgement {
  let [wrong, partial, incomplete, failed, outageMs] = [0, 0, 0, 0, 0]
  let outageSinceMs: number | undefined
  const reasons: string[] = []
  for (const sample of samples) {
    const { verdict, why } = judge(logs, sample)
    if (verdict === 'wrong') wrong += 1
    if (verdict === 'failed') failed += 1
    if (sample.kind === 'answer' && sample.partial) {
      partial += 1
      if (reasons.length < REASONS_MAX) reasons.push(`at ${Math.round(sample.atMs)} ms: partial: ${whyPartial(sample)}`) // biome-ignore format: one line
    }
    if (sample.kind === 'answer' && !sample.complete) incomplete += 1
    if (verdict !== 'right' && reasons.length < REASONS_MAX)
      reasons.push(`at ${Math.round(sample.atMs)} ms: ${why}`)
    const out = sample.kind === 'failed' || sample.partial
    if (out) outageSinceMs ??= sample.atMs
    else if (outageSinceMs !== undefined) {
      outageMs = Math.max(outageMs, sample.atMs - outageSinceMs)
      outageSinceMs = undefined
    }
  }
  const last = samples.at(-1)
  if (outageSinceMs !== undefined && last !== undefined)
    outageMs = Math.max(outageMs, last.atMs - outageSinceMs)
  return {
    samples: samples.length,
    wrong,
    partial,
    incomplete,
    failed,
    outage_ms: Math.round(outageMs),
    reasons,
  }
}

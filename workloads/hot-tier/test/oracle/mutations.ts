/**
 * A mistake in one line of the program: `from`, which stands there once, becomes `to`. `make prove-oracle` runs them one by
 * one, each in memory only, and says how many statements it takes to find them.
 */
export type Mutation = Readonly<{ name: string; file: string; from: string; to: string }>

const kernels = (file: string): string => `workloads/kernels/src/${file}`

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a sum beyond int64 is answered as a number',
    file: kernels('plan/finalize-aggregate.ts'),
    from: 'if (sum <= INT64_MAX && sum >= INT64_MIN) return sum',
    to: 'if (sum <= 2n * INT64_MAX && sum >= 2n * INT64_MIN) return sum',
  },
  {
    name: 'a bucket that ends at the horizon stays',
    file: kernels('replica/slot-replica.ts'),
    from: '({ endUs }) => endUs <= horizonUs',
    to: '({ endUs }) => endUs < horizonUs',
  },
  {
    name: 'a row of a bucket that ends at the horizon is let in, and its id remembered',
    file: kernels('replica/slot-replica.ts'),
    from: 'startUs + spanUs <= horizonUs',
    to: 'startUs + spanUs < horizonUs',
  },
  {
    name: 'an id is forgotten one microsecond too late',
    file: kernels('replica/slot-replica.ts'),
    from: 'this.ids.expire(this.logTimeUs, this.definition.dedupWindowUs)',
    to: 'this.ids.expire(this.logTimeUs - 1, this.definition.dedupWindowUs)',
  },
  {
    name: 'a chunk whose last row stands at the start of the range is passed over',
    file: kernels('plan/execute-plan.ts'),
    from: 'rowCount > 0 && timeUsMax >= startUs && timeUsMin < endUs',
    to: 'rowCount > 0 && timeUsMax > startUs && timeUsMin < endUs',
  },
  {
    name: 'a chunk whose first row stands just before the end of the range is passed over',
    file: kernels('plan/execute-plan.ts'),
    from: 'rowCount > 0 && timeUsMax >= startUs && timeUsMin < endUs',
    to: 'rowCount > 0 && timeUsMax >= startUs && timeUsMin < endUs - 1',
  },
  {
    name: 'the end of the range is in it',
    file: kernels('filters/select-rows.ts'),
    from: 'range.endUs - 1 - startUs',
    to: 'range.endUs - startUs',
  },
  {
    name: 'a chunk that reaches to the end of the range is taken whole',
    file: kernels('filters/select-rows.ts'),
    from: 'source.timeUsMin >= range.startUs && source.timeUsMax < range.endUs',
    to: 'source.timeUsMin >= range.startUs && source.timeUsMax <= range.endUs',
  },
  {
    name: 'NOT IN of an empty list keeps no row',
    file: kernels('filters/select-rows.ts'),
    from: 'this.fill(negated, source.rowCount, out)',
    to: 'this.fill(false, source.rowCount, out)',
  },
  {
    name: 'a long list of numbers forgets its second half',
    file: kernels('filters/select-rows.ts'),
    from: 'new Set(numbers), out)',
    to: 'new Set(numbers.slice(0, 6)), out)',
  },
  {
    name: '_ of LIKE is a UTF-16 unit',
    file: kernels('filters/like-pattern.ts'),
    from: 'matches([...text], parts)',
    to: "matches(text.split(''), parts)",
  },
  {
    name: 'LIKE gives up one place before the end',
    file: kernels('filters/like-pattern.ts'),
    from: 'while (at + part.length <= end && !standsAt(text, part, at)) at++',
    to: 'while (at + part.length < end && !standsAt(text, part, at)) at++',
  },
  {
    name: 'text is ordered by UTF-16 units in MIN and MAX',
    file: kernels('aggregates/extreme.ts'),
    from: 'compareText(value, held)',
    to: '(value < held ? -1 : value > held ? 1 : 0)',
  },
  {
    name: 'FIRST and LAST of equal times take the higher slot',
    file: kernels('aggregates/first-last.ts'),
    from: 'return slot < slots.values[group]!',
    to: 'return slot > slots.values[group]!',
  },
  {
    name: 'LAST of equal times takes the earlier row of the log',
    file: kernels('aggregates/first-last.ts'),
    from: '(rowNumber - rowNumbers.values[group]!) * sign > 0',
    to: 'rowNumber < rowNumbers.values[group]!',
  },
  {
    name: 'merging variances forgets how far their means are apart',
    file: kernels('aggregates/variance.ts'),
    from: 'delta * delta * ((held * added) / total)',
    to: 'delta * delta * ((held * added) / total) * 0.999',
  },
  {
    name: 'a sample divides by all of its values',
    file: kernels('plan/finalize-aggregate.ts'),
    from: '(sample ? 1 : 0)',
    to: '(sample ? 0 : 0)',
  },
  {
    name: 'a text that another group had is not counted again',
    file: kernels('plan/once-per-group.ts'),
    from: 'this.seen[group] ?? this.open(group,',
    to: 'this.seen[group & ~1] ?? this.open(group & ~1,',
  },
  {
    name: 'codes of one byte name up to 65,536 texts',
    file: kernels('columns/text-pool.ts'),
    from: 'this.size <= 256 ? 1',
    to: 'this.size <= 65_536 ? 1',
  },
  {
    name: 'codes of two bytes name up to 131,072 texts',
    file: kernels('columns/text-pool.ts'),
    from: 'this.size <= 65_536 ? 2',
    to: 'this.size <= 131_072 ? 2',
  },
  {
    name: 'a null text as a key is the empty text',
    file: kernels('plan/key-cells.ts'),
    from: 'const validity = chunk.validityAt(index)',
    to: 'const validity = factor < 0 ? chunk.validityAt(index) : 0',
  },
  {
    name: 'a column that comes late is all valid in rows before it',
    file: kernels('columns/chunk.ts'),
    from: 'else if (to !== undefined) fillBits(to, rowCount)',
    to: 'else if (to !== undefined) fillBits(to, rowCount - 1)',
  },
  {
    name: 'a quantile counts one value too many',
    file: kernels('sketches/t-digest.ts'),
    from: 'const target = q * (total - 1)',
    to: 'const target = q * total',
  },
  {
    name: 'a dense HyperLogLog forgets its empty registers',
    file: kernels('sketches/hyperloglog.ts'),
    from: 'z += m * sigma(counts[0]! / m)',
    to: 'z += 0 * sigma(counts[0]! / m)',
  },
  {
    name: 'merged top-k sketches keep the candidates of one side',
    file: kernels('sketches/top-k.ts'),
    from: 'for (const value of [...this.counts.keys(), ...other.candidates]) {',
    to: 'for (const value of this.counts.keys()) {',
  },
  {
    name: 'a descending order puts null first',
    file: kernels('query/order-rows.ts'),
    from: 'ranks[row] = Number.POSITIVE_INFINITY',
    to: 'ranks[row] = descending ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY',
  },
  {
    name: 'of rows at one time the higher slot comes first',
    file: kernels('plan/newest-rows.ts'),
    from: 'b.timeUs - a.timeUs || a.slot - b.slot',
    to: 'b.timeUs - a.timeUs || b.slot - a.slot',
  },
  {
    name: 'LAST passes over old rows of groups that no newer row has',
    file: kernels('plan/cell-ends.ts'),
    from: 'this.count >= groups',
    to: 'this.count > 0',
  },
  {
    name: 'a step of a rollup that begins before the range is read whole',
    file: kernels('rollups/cover-range.ts'),
    from: 'Math.ceil(us / stepUs) * stepUs',
    to: 'Math.floor(us / stepUs) * stepUs',
  },
  {
    name: 'a step of a rollup that ends after the range is read whole',
    file: kernels('rollups/cover-range.ts'),
    from: 'Math.max(startUs, Math.floor(us / stepUs) * stepUs)',
    to: 'Math.max(startUs, Math.ceil(us / stepUs) * stepUs)',
  },
  {
    name: 'cells of a rollup answer for time buckets that are narrower',
    file: kernels('rollups/cover-range.ts'),
    from: 'bucketUs % stepUs === 0',
    to: 'stepUs % bucketUs === 0 || bucketUs % stepUs === 0',
  },
  {
    name: 'sums of the later cells of a time bucket stay in fixed point',
    file: kernels('plan/sum-keys.ts'),
    from: 'end: end * below',
    to: 'end: (end - 1) * below + 1',
  },
  {
    name: 'sums in fixed point are of the first time bucket on that a chunk has wholly',
    file: kernels('plan/key-cells.ts'),
    from: 'first: codeOf(Math.max(timeUsMin, bounds.minUs))',
    to: 'first: codeOf(Math.max(timeUsMin + bucketUs, bounds.minUs))',
  },
]

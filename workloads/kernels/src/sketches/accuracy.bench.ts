import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { type Counting, measureCountMin } from './testing/measure-count-min.ts'
import {
  type Cardinality,
  consecutiveValues,
  measureHyperLogLog,
  randomHashes,
} from './testing/measure-hyperloglog.ts'
import {
  DISTRIBUTIONS,
  MEASURED_QUANTILES,
  measureTDigest,
  type RankError,
} from './testing/measure-t-digest.ts'
import { plotSvg } from './testing/plot-svg.ts'

/*
 * `make prove-sketches`: every sketch against exact truth. Runs are numbered and a run's number is its seed, so that the
 * figures are the same on every machine. Writes docs/results/sketches.md and its plots; fails when a bound does not hold.
 */
const results = new URL('../../../../docs/results/', import.meta.url)
const THEORY = 1.04 / Math.sqrt(16_384)
const CARDINALITIES = [
  100, 1_000, 2_000, 3_000, 3_072, 3_100, 3_500, 5_000, 10_000, 20_000, 50_000, 100_000, 300_000, 1_000_000,
]
const DIGEST_VALUES = 1_000_000
const DIGEST_SEEDS = Array.from({ length: 10 }, (_, index) => index + 1)
const COUNT_ROWS = 1_000_000
const COUNT_VALUES = 200_000
const COUNT_SEEDS = Array.from({ length: 10 }, (_, index) => index + 1)

const failures: string[] = []
const check = (holds: boolean, what: string): string => {
  if (!holds) failures.push(what)
  return holds ? 'yes' : '**no**'
}
const percent = (share: number, digits = 3) => `${(share * 100).toFixed(digits)} %`
const table = (head: string, rows: readonly string[]) =>
  [head, head.replaceAll(/[^|]+/g, '---'), ...rows].join('\n')

/** The band that theory allows: three standard deviations of what so many runs would measure. */
function judged({ cardinality, runs, bias, relativeError }: Cardinality): string {
  const errorMax = runs === 1_000 ? 0.0087 : THEORY * (1 + 3 / Math.sqrt(2 * runs))
  const biasMax = (3 * THEORY) / Math.sqrt(runs)
  const holds = relativeError <= errorMax && Math.abs(bias) <= biasMax
  const verdict = check(holds, `HyperLogLog at ${cardinality}: bias ${bias}, error ${relativeError}`)
  const cells = [
    cardinality.toLocaleString('en'),
    runs,
    percent(relativeError),
    percent(errorMax),
    percent(bias),
    `± ${percent(biasMax)}`,
    verdict,
  ]
  return `| ${cells.join(' | ')} |`
}

function digestRow(q: number, errors: readonly RankError[]): string[] {
  return errors
    .filter((error) => error.q === q)
    .map(({ distribution, parts, greatest, bound }) => {
      const verdict = check(greatest <= bound, `t-digest ${distribution} q ${q}: ${greatest}`)
      return `| p${q * 100} | ${distribution} | ${parts} | ${percent(greatest, 4)} | ${percent(bound)} | ${verdict} |`
    })
}

function countingRow({ skew, estimates, under, beyond, greatest, recall }: Counting): string {
  const holds = under === 0 && beyond <= Math.exp(-5)
  const verdict = check(holds, `Count-Min, skew ${skew}: ${under} under, ${beyond} beyond`)
  const share = Number.isNaN(recall) ? '' : percent(recall, 0)
  return `| ${skew} | ${estimates.toLocaleString('en')} | ${under} | ${percent(beyond, 4)} | ${percent(greatest, 4)} | ${share} | ${verdict} |`
}

const log = (what: string) => console.log(`${(performance.now() / 1_000).toFixed(0).padStart(5)} s  ${what}`)
log('HyperLogLog: 1,000 runs up to 10^6')
const cardinalities = measureHyperLogLog(CARDINALITIES, 1_000, 1, consecutiveValues)
log('HyperLogLog: 100 runs at 10^7')
cardinalities.push(...measureHyperLogLog([10_000_000], 100, 1, randomHashes))
log('HyperLogLog: 20 runs at 10^8')
cardinalities.push(...measureHyperLogLog([100_000_000], 20, 1, randomHashes))
log('t-digest')
const ranks = DISTRIBUTIONS.flatMap((distribution) =>
  [1, 16].flatMap((parts) => measureTDigest(distribution, DIGEST_VALUES, parts, DIGEST_SEEDS)),
)
log('Count-Min')
const countings = [0, 0.8, 1.1, 1.5].map((skew) =>
  measureCountMin(skew, COUNT_ROWS, COUNT_VALUES, COUNT_SEEDS),
)

const tables = [
  table(
    '| distinct | runs | relative standard error | at most | bias | within | holds |',
    cardinalities.map(judged),
  ),
  table(
    '| quantile | values | digests merged | greatest error in rank | bound | holds |',
    MEASURED_QUANTILES.flatMap((q) => digestRow(q, ranks)),
  ),
  table(
    '| skew | estimates | under | over by more than ε | greatest | top 10 named | holds |',
    countings.map(countingRow),
  ),
]
writeFileSync(
  new URL('sketches.md', results),
  `# Sketches against exact truth

Written by \`make prove-sketches\`, which fails when a bound does not hold. A run's number is its seed, from 1 on, so the figures are the same everywhere.
This time: ${cpus()[0]?.model}, Node ${process.versions.node}, ${Math.round(performance.now() / 1_000)} s.

## HyperLogLog++, p = 14
Theory: 1.04 / √16,384 = ${percent(THEORY)}. Up to 10⁶ consecutive integers are hashed as a shard hashes them, the same run read at every row; the
states are sparse up to 3,072 and dense above. At 10⁷ and 10⁸ random 64-bit hashes go straight into the sketch: what a perfect hash would make of as many values.
"At most" is the goal of 0.87 % over 1,000 runs, else three sampling standard deviations above theory; "within" is three of the mean.

${tables[0]}

![relative standard error and bias by cardinality](sketches-hyperloglog.svg)

## t-digest, δ = 500, k1
${DIGEST_VALUES.toLocaleString('en')} values, ${DIGEST_SEEDS.length} runs each; the greatest error of any run is shown. The last three are adversarial orders of log-normal values: sorted up, sorted down, and
from both ends inwards. Merged digests went over the wire; each held a consecutive part. The bound is one centroid's share, 2π√(q(1−q))/500:
no theorem promises it for every order of values, so it is measured.

${tables[1]}

![greatest error in rank as a share of its bound](sketches-t-digest.svg)

## Count-Min, 5 × 4,096, and top-k
${COUNT_ROWS.toLocaleString('en')} rows over up to ${COUNT_VALUES.toLocaleString('en')} values, frequencies like rank^−skew, ${COUNT_SEEDS.length} runs in four merged parts each; every value is asked. ε = e / 4,096 = ${percent(Math.E / 4_096, 4)} of the rows, and
at most δ = e⁻⁵ = ${percent(Math.exp(-5), 2)} of the estimates may be over by more. Where all values are alike there is no top ten.

${tables[2]}

![greatest overestimate as a share of the rows](sketches-count-min.svg)
`,
)
writeFileSync(
  new URL('sketches-hyperloglog.svg', results),
  plotSvg({
    title: 'HyperLogLog++ against exact counts',
    x: 'distinct values',
    y: '%',
    series: [
      {
        name: 'relative standard error',
        points: cardinalities.map((one) => [one.cardinality, one.relativeError * 100]),
      },
      { name: '|bias|', points: cardinalities.map((one) => [one.cardinality, Math.abs(one.bias) * 100]) },
      {
        name: 'theory 0.8125 %',
        dashed: true,
        points: [
          [100, THEORY * 100],
          [1e8, THEORY * 100],
        ],
      },
    ],
  }),
)
writeFileSync(
  new URL('sketches-t-digest.svg', results),
  plotSvg({
    title: 't-digest: greatest error in rank (16 digests merged)',
    x: '1 / (1 − q)',
    y: '% of values',
    series: [
      ...DISTRIBUTIONS.map((name) => ({
        name,
        points: ranks
          .filter((one) => one.distribution === name && one.parts === 16)
          .map(({ q, greatest }): [number, number] => [1 / (1 - q), greatest * 100]),
      })),
      {
        name: 'bound',
        dashed: true,
        points: ranks.slice(0, 4).map(({ q, bound }): [number, number] => [1 / (1 - q), bound * 100]),
      },
    ],
  }),
)
writeFileSync(
  new URL('sketches-count-min.svg', results),
  plotSvg({
    title: 'Count-Min: greatest overestimate of any value',
    x: '1 + skew (logarithmic)',
    y: '% of rows',
    series: [
      {
        name: 'greatest',
        points: countings.map(({ skew, greatest }): [number, number] => [1 + skew, greatest * 100]),
      },
      {
        name: 'ε',
        dashed: true,
        points: [
          [1, (Math.E / 4_096) * 100],
          [2.5, (Math.E / 4_096) * 100],
        ],
      },
    ],
  }),
)
log(failures.length === 0 ? 'every bound holds; written to docs/results/sketches.md' : failures.join('\n'))
process.exitCode = failures.length === 0 ? 0 : 1

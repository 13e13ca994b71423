import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { SamplerResult } from './sampler/run-sampler.ts'

export type ResultsPage = Readonly<{ file: string; title: string; command: string }>

/** Writes what the sampler said of every scenario of a whole run to a page of docs/results, whatever the outcome. `lines`: one JSON object each. */
export function writeScenarios(
  root: string,
  { file, title, command }: ResultsPage,
  lines: readonly string[],
  { passed, failed, tookS }: Readonly<{ passed: number; failed: number; tookS: number }>,
): void {
  const rows = lines.map((line) => rowOf(JSON.parse(line) as SamplerResult))
  const [cpu] = cpus()
  const page = [
    `# ${title}`,
    '',
    `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${cpu?.model.trim()}. Each answer is judged by a recount of the log up to its own positions;`,
    'partial answers name what is missing, failed ones were errors, and the outage is the longest stretch from the first of either to the next good answer.',
    `Of all tests of the run ${passed} passed and ${failed} failed, in ${Math.round(tookS / 60)} minutes.`,
    '',
    '| scenario | samples | wrong | partial | failed | outage, ms | watermark lag, s | took, s | events written |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ]
  writeFileSync(join(root, 'docs/results', file), page.join('\n'))
}

function rowOf(result: SamplerResult): string {
  const { scenario, samples, wrong, partial, failed, outage_ms: outage, lag_us: lag, took_s: took } = result
  const cells = [
    samples,
    wrong,
    partial,
    failed,
    outage,
    lag === null ? 'unknown' : (lag / 1e6).toFixed(1),
    took,
  ]
  return `| ${[`\`${scenario}\``, ...cells, result.events_written].join(' | ')} |`
}

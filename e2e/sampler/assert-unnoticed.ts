import assert from 'node:assert/strict'
import type { SamplerResult } from './run-sampler.ts'

/** allowedLateness of the quickstart's tables, and five seconds. */
const LAG_US_MAX = 15_000_000

/** Nobody who asked was refused or lacked anything; `onTime`: nor did the watermark lag. */
export function assertUnnoticed(
  { failed, partial, lag_us: lagUs }: SamplerResult,
  { onTime = false }: Readonly<{ onTime?: boolean }> = {},
): void {
  assert.deepEqual({ failed, partial }, { failed: 0, partial: 0 })
  if (onTime) assert.ok((lagUs ?? Number.POSITIVE_INFINITY) <= LAG_US_MAX, `answers lag by ${lagUs} µs`)
}

export const LINGER_MS_MIN = 5
export const LINGER_MS_MAX = 50
/** Rows that a block should hold at least when there is load: below it the cost of a record outweighs that of its rows. */
export const BLOCK_ROWS_AIM = 500
/** Rows per ms that must arrive while a block waits before waiting is called load. */
const LOAD_ROWS_PER_MS = 1
const SMOOTHING = 0.3

/**
 * How long the next block of a slot waits for company. It waits longer only when rows do arrive meanwhile (`gainedRows`
 * after the first request, in `waitedMs`): a lone event, or a client that sends whole batches, gains nothing by waiting.
 */
export function chooseLinger(previousMs: number, gainedRows: number, waitedMs: number): number {
  const rowsPerMs = gainedRows / Math.max(waitedMs, 1)
  const aimMs = rowsPerMs < LOAD_ROWS_PER_MS ? LINGER_MS_MIN : BLOCK_ROWS_AIM / rowsPerMs
  const nextMs =
    previousMs + (Math.min(Math.max(aimMs, LINGER_MS_MIN), LINGER_MS_MAX) - previousMs) * SMOOTHING
  return Math.min(Math.max(nextMs, LINGER_MS_MIN), LINGER_MS_MAX)
}

import type { Fault } from './faulty-api-server.ts'

/** Each for as long as a protocol lasts, on every request and every watch. */
export const FAULTS: readonly Fault[] = [
  { name: 'slow: 700 ms more for every request', delayMs: 700 },
  { name: '429 to a fifth of the requests', refused: { share: 0.2, statuses: [429] } },
  { name: '500 or 503 to a fifth of the requests', refused: { share: 0.2, statuses: [500, 503] } },
  { name: 'answers lost: a tenth of what was done', answersLost: 0.1 },
  { name: 'stale caches: events come 4 s late', heldMs: 4_000 },
  { name: 'every event twice', repeated: true },
  { name: 'a fifth of the events missed, then 410', missed: 0.2 },
  { name: 'watches break after 2 s', watchEnds: { afterMs: 2_000, by: 'break' } },
  { name: '410 after 2 s of every watch', watchEnds: { afterMs: 2_000, by: '410' } },
]

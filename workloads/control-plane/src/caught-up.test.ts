import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CAUGHT_UP_LAG_RECORDS_MAX,
  type CaughtUpEvidence,
  claimsCaughtUp,
  provesCaughtUp,
} from './caught-up.ts'

const fresh: CaughtUpEvidence = {
  cursorOffset: -1,
  reportedEndOffset: 0,
  progressedAtUs: 1,
  stalledReason: '',
}
const claims: ReadonlyArray<[name: string, evidence: CaughtUpEvidence, expected: boolean]> = [
  ['an empty log that its stream confirmed', fresh, true],
  ['a stream that never spoke', { ...fresh, progressedAtUs: 0 }, false],
  ['a replica that stands still', { ...fresh, stalledReason: 'LogRewritten' }, false],
  ['as far behind as may be', { ...fresh, reportedEndOffset: CAUGHT_UP_LAG_RECORDS_MAX }, true],
  ['one record too far behind', { ...fresh, reportedEndOffset: CAUGHT_UP_LAG_RECORDS_MAX + 1 }, false],
]
for (const [name, evidence, expected] of claims) {
  test(`claimsCaughtUp: ${name}`, () => assert.equal(claimsCaughtUp(evidence), expected))
}

const proofs: ReadonlyArray<
  [name: string, cursor: number, now: number, then: number | undefined, expected: boolean]
> = [
  ['empty log', -1, 0, undefined, true],
  ['at the end', 9, 10, undefined, true],
  ['one record short, first claim', 8, 10, undefined, false],
  ['past the end of the first claim, though the log grew', 9, 50, 10, true],
  ['still short of the end of the first claim', 8, 50, 10, false],
  ['the log was cut back meanwhile', 4, 5, 10, true],
]
for (const [name, cursor, now, then, expected] of proofs) {
  test(`provesCaughtUp: ${name}`, () => assert.equal(provesCaughtUp(cursor, now, then), expected))
}

import type { Judge } from './verdict.ts'

const RELATIVE = 1e-9
/** Two units in the last place, relative. */
const OF_MAGNITUDE = 4.5e-16
/** Float sums are judged scaled down where they leave their range: 2^-64 leaves room for any number of rows. */
export const SUM_SCALE = 2 ** -64
const SUM_MAX = 2 ** 1024 * SUM_SCALE

/** An integer mean: its sum is exact on both sides, so only the division rounds. */
export const judgeIntegerMean: Judge = (mine, [theirs]) => {
  if (theirs === null) return { holds: mine === null }
  const value = Number(theirs)
  return { holds: mine !== null && Math.abs(Number(mine) - value) <= OF_MAGNITUDE * Math.abs(value) }
}

/**
 * A float sum or mean: within RELATIVE of the value, or within OF_MAGNITUDE of Σ|x| where terms cancel. What does not fit a
 * double is null; where great terms cancel, it depends on their order whether a sum on the way does.
 * Parts: the value, Σ|x|, the value scaled, the sum scaled; a mean has all of the first three divided by its count.
 */
export const judgeFloatSum: Judge = (mine, parts) => {
  if (parts[0] === null) return { holds: mine === null }
  const [value = 0, magnitude = 0, scaled = 0, scaledSum = 0] = parts.map(Number)
  if (Number.isFinite(magnitude)) {
    const error = Math.abs(Number(mine) - value)
    return { holds: mine !== null && error <= RELATIVE * Math.abs(value) + OF_MAGNITUDE * magnitude }
  }
  const edge = 'a float sum or variance beyond its range'
  if (mine === null) return { holds: true, edge }
  const error = Math.abs(Number(mine) * SUM_SCALE - scaled)
  return { holds: Math.abs(scaledSum) < SUM_MAX && error <= RELATIVE * SUM_MAX, edge }
}

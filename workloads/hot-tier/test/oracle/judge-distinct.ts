import { HYPERLOGLOG_SPARSE_MAX } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import { HYPERLOGLOG_RELATIVE_STANDARD_ERROR } from '@truenow/kernels/sketches/hyperloglog.ts'
import type { Judge } from './verdict.ts'

/** Indexes that a sparse sketch tells apart: two values on one of them count once. */
const SPARSE_INDEXES = 2 ** 25
/** So few values hardly ever share an index: 2^-16 of the time at most. */
const SURELY_EXACT_MAX = 32
const SIGMAS = 6

/**
 * An estimate of distinct values by their exact number: equal where they are few, within the collisions to be expected of a
 * sparse sketch, and of a dense one within six standard errors.
 */
export const judgeDistinct: Judge = (mine, [theirs]) => {
  const truth = Number(theirs)
  const error = mine === null ? Number.POSITIVE_INFINITY : Math.abs(Number(mine) - truth)
  if (truth <= SURELY_EXACT_MAX) return { holds: error === 0 }
  if (truth <= HYPERLOGLOG_SPARSE_MAX) {
    const collisions = truth ** 2 / 2 / SPARSE_INDEXES
    return { holds: error <= 1 + SIGMAS * Math.sqrt(collisions) }
  }
  return {
    holds: error <= SIGMAS * HYPERLOGLOG_RELATIVE_STANDARD_ERROR * truth,
    edge: 'an estimate of more than 3,072 distinct values',
  }
}

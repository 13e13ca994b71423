import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeMany } from './judge-many.ts'

/* The short form of `make prove-answers`: SEED=… repeats a run, QUERIES=… is how many statements are asked. */
const SEED = Number(process.env.SEED ?? 20_261_126)
const QUERIES = Number(process.env.QUERIES ?? 1_000)

test(`shards: random statements over random logs equal DuckDB over the same rows (seed ${SEED})`, async () => {
  const { queries, rowsAnswered, whileArriving, fromRollups, answersEmpty } = await judgeMany(SEED, QUERIES)
  assert.ok(queries >= QUERIES && rowsAnswered > queries)
  assert.ok(fromRollups > queries / 50, `only ${fromRollups} of ${queries} read cells of rollups`)
  assert.ok(answersEmpty < queries / 2, `${answersEmpty} of ${queries} answers had no row`)
  assert.ok(whileArriving > queries / 10, `only ${whileArriving} of ${queries} met blocks that arrived`)
})

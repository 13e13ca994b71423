import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeMany } from './judge-many.ts'
import { MUTATIONS } from './mutations.ts'
import { survive } from './survive.ts'

/* The short form of `make prove-answers`: SEED=… repeats a run, QUERIES=… is how many statements are asked. */
const SEED = Number(process.env.SEED ?? 20_261_126)
const QUERIES = Number(process.env.QUERIES ?? 1_000)

test(`shards: random statements over random logs equal DuckDB over the same rows (seed ${SEED})`, async () => {
  const { queries, rowsAnswered, whileArriving, answersEmpty, filtered, fromRollups } = await judgeMany(
    SEED,
    QUERIES,
  )
  assert.ok(queries >= QUERIES && rowsAnswered > queries)
  assert.ok(answersEmpty < queries / 2, `${answersEmpty} of ${queries} answers had no row`)
  assert.ok(filtered > queries / 3, `only ${filtered} of ${queries} had filters`)
  assert.ok(fromRollups > queries / 50, `only ${fromRollups} of ${queries} read cells of rollups`)
  assert.ok(whileArriving > queries / 20, `only ${whileArriving} of ${queries} met blocks that arrived`)
})

const WRONG = 'the end of the range is in it'
test(`an oracle that cannot fail is none: it finds that ${WRONG} (more: make prove-oracle)`, async () => {
  const mutation = MUTATIONS.find(({ name }) => name === WRONG)
  const { caught, queries } = await survive(mutation!, SEED, 500)
  assert.ok(caught, `${queries} statements were answered right`)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInLayer } from './run-in-layer.ts'

/*
 * The short form of `make prove-crash-points`, which end-to-end runs: it needs root on Linux for a network of its own. Not called
 * `.test.ts`, because integration runs all of those.
 */
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)

test('operators killed after drawn writes of drawn protocols, on a real API server and PostgreSQL: the same end', async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const struck: string[] = []
  await runInLayer<readonly string[]>(
    'run-crash-points.ts',
    { SAMPLE: String(SEED) },
    { print: (line) => t.diagnostic(line), onLine: (line) => struck.push(...line) },
  )
  for (const one of struck) t.diagnostic(one)
  assert.ok(struck.length > 1, 'nobody died, so nothing is proved')
})

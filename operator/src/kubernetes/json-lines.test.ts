import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLines } from './json-lines.ts'

async function* chunks(bytes: Uint8Array, cuts: readonly number[]) {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const to of ends) {
    yield bytes.subarray(from, to)
    from = to
  }
}

test('jsonLines: the values come out, wherever the bytes were cut', async () => {
  const values = fc.array(
    fc.json({ maxDepth: 2 }).map((text) => JSON.parse(text)),
    { maxLength: 8 },
  )
  await fc.assert(
    fc.asyncProperty(values, fc.array(fc.nat(), { maxLength: 20 }), async (values, cuts) => {
      const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
      assert.deepEqual(await Array.fromAsync(jsonLines(chunks(bytes, cuts))), values)
    }),
  )
})

test('jsonLines: a line that was cut off is an error, after the whole ones came', async () => {
  const taken: unknown[] = []
  await assert.rejects(
    async () => {
      for await (const value of jsonLines(chunks(Buffer.from('{"a":1}\n{"a":'), []))) taken.push(value)
    },
    { reason: 'Unreadable' },
  )
  assert.deepEqual(taken, [{ a: 1 }])
})

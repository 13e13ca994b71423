import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPermits } from './permits.ts'

test('permits: no more than there are, handed on in the order of asking, given back once', async () => {
  const permits = createPermits(2)
  const never = new AbortController().signal
  const [first, second] = [permits.tryTake(), permits.tryTake()]
  assert.ok(first !== undefined && second !== undefined)
  assert.equal(permits.tryTake(), undefined)
  const order: string[] = []
  const asked = ['a', 'b'].map(async (name) => {
    const release = await permits.take(never)
    order.push(name)
    return release
  })
  first()
  first()
  await asked[0]
  assert.deepEqual(order, ['a'])
  assert.equal(permits.tryTake(), undefined, 'giving one back twice makes no second one')
  second()
  await asked[1]
  assert.deepEqual(order, ['a', 'b'])
})

test('permits: who leaves while waiting gets none and takes none', async () => {
  const permits = createPermits(1)
  const release = permits.tryTake()
  const leaving = new AbortController()
  const waiting = permits.take(leaving.signal)
  leaving.abort()
  assert.equal(await waiting, undefined)
  release?.()
  assert.ok(permits.tryTake() !== undefined)
  assert.equal(await permits.take(leaving.signal), undefined)
})

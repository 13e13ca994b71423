import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rendezvous } from './rendezvous.ts'

const nodes = fc.uniqueArray(fc.stringMatching(/^[a-z0-9.-]{1,20}:\d{4}$/), { minLength: 1, maxLength: 12 })
const key = fc.string({ maxLength: 20 })

test('rendezvous: every node once, in an order that does not depend on how they were named', () => {
  fc.assert(
    fc.property(key, nodes, (one, all) => {
      const order = rendezvous(one, all)
      assert.deepEqual(order.toSorted(), all.toSorted())
      assert.deepEqual(rendezvous(one, all.toReversed()), order)
    }),
  )
})

test('rendezvous: a node that leaves takes nothing but its own place; the others keep their order', () => {
  fc.assert(
    fc.property(key, nodes, fc.nat(), (one, all, at) => {
      const left = all.filter((_, index) => index !== at % all.length)
      const kept = rendezvous(one, all).filter((node) => left.includes(node))
      assert.deepEqual(rendezvous(one, left), kept)
    }),
  )
})

test('rendezvous: keys spread evenly, and a node that comes takes its share of them only', () => {
  const KEYS = 4_000
  const all = Array.from({ length: 8 }, (_, index) => `10.244.0.${index + 2}:9100`)
  const firstOf = (among: readonly string[]) =>
    Array.from({ length: KEYS }, (_, slot) => rendezvous(`production.events/${slot}`, among)[0])
  const [before, after] = [firstOf(all.slice(0, 7)), firstOf(all)]
  const moved = after.filter((node, index) => node !== before[index])
  assert.ok(
    moved.every((node) => node === all[7]),
    'what moves goes to the newcomer',
  )
  for (const node of all) {
    const share = after.filter((one) => one === node).length / KEYS
    assert.ok(share > 0.1 && share < 0.15, `${node} has ${share} of the keys, not about an eighth`)
  }
})

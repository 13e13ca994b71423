import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Stored } from './kubernetes-port.ts'
import { createObjectStore, storeKey, storeVersion } from './object-store.ts'

const made = (name: string, uid: string, resourceVersion: string): Stored => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'n', name, uid, generation: 1, resourceVersion },
})
const object = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), fc.constantFrom('1', '2', '3'))
  .map(([name, uid, version]) => made(name, uid, version))
const distinct = fc.uniqueArray(object, { selector: ({ metadata }) => metadata.name })

test('createObjectStore: whoever applies the changes holds what the store holds, and no change is empty', () => {
  type Command = { set?: Stored; remove?: Stored; replace?: Stored[] }
  const command: fc.Arbitrary<Command> = fc.oneof(
    object.map((set) => ({ set })),
    object.map((remove) => ({ remove })),
    distinct.map((replace) => ({ replace })),
  )
  fc.assert(
    fc.property(fc.array(command, { maxLength: 20 }), (commands) => {
      const store = createObjectStore<Stored>('Service', 100)
      const mirror = new Map<string, Stored>()
      for (const { set, remove, replace } of commands) {
        const changes = set ? store.set(set) : remove ? store.remove(remove) : store.replace(replace!)
        for (const change of changes) {
          const key = storeKey(change.object.metadata)
          const held = mirror.get(key)
          if (change.kind === 'gone') {
            assert.equal(held?.metadata.uid, change.object.metadata.uid)
            mirror.delete(key)
          } else {
            // A new incarnation is gone first.
            assert.ok(held === undefined || held.metadata.uid === change.object.metadata.uid)
            assert.ok(held === undefined || storeVersion(held) !== storeVersion(change.object))
            mirror.set(key, change.object)
          }
        }
        assert.deepEqual(
          new Set(store.all().map(storeVersion)),
          new Set([...mirror.values()].map(storeVersion)),
        )
        assert.equal(store.size(), mirror.size)
      }
    }),
  )
})

test('createObjectStore: a late DELETED of an earlier incarnation leaves the new one', () => {
  const store = createObjectStore<Stored>('Service', 10)
  store.set(made('a', 'new', '5'))
  assert.deepEqual(store.remove(made('a', 'old', '6')), [])
  assert.equal(store.get({ namespace: 'n', name: 'a' })?.metadata.uid, 'new')
})

test('createObjectStore: managedFields are not held', () => {
  const store = createObjectStore<Stored>('Service', 10)
  const { metadata, ...rest } = made('a', '1', '1')
  store.set({ ...rest, metadata: { ...metadata, managedFields: [{ manager: 'kubectl' }] } as never })
  assert.deepEqual(store.all(), [made('a', '1', '1')])
})

test('createObjectStore: above its bound nothing changes and the error says what to do', () => {
  const store = createObjectStore<Stored>('Service', 2)
  store.replace([made('a', '1', '1'), made('b', '1', '1')])
  assert.throws(() => store.set(made('c', '1', '1')), {
    reason: 'TooManyObjects',
    message: /fewer namespaces/,
  })
  assert.throws(() => store.replace(['a', 'b', 'c'].map((name) => made(name, '2', '2'))), /more than/i)
  assert.deepEqual(store.all(), [made('a', '1', '1'), made('b', '1', '1')])
  assert.equal(store.set(made('a', '1', '2')).length, 1)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkoutHash, defaultInstance, instanceLayout } from './instance-layout.ts'

test('instanceLayout: two checkouts and two purposes never share a name', () => {
  const names = ['/a', '/b'].flatMap((root) =>
    (['up', 'test'] as const).map(
      (purpose) => instanceLayout(root, defaultInstance(root, purpose)).machineName,
    ),
  )
  assert.equal(new Set(names).size, 4)
})

test('instanceLayout: a name given by hand is still told apart by its checkout', () => {
  const [left, right] = ['/a', '/b'].map((root) => instanceLayout(root, 'mine').machineName)
  assert.notEqual(left, right)
  assert.equal(left, `truenow-mine-${checkoutHash('/a')}`)
})

test('instanceLayout: everything lies below .truenow of the checkout', () => {
  const { relaySocketDirectory, machineName, instance, root, ...places } = instanceLayout('/a', 'mine')
  for (const [name, place] of Object.entries(places)) assert.match(place, /^\/a\/\.truenow\/mine/, name)
})

const sockets: ReadonlyArray<[name: string, rootBytes: number, near: boolean]> = [
  ['as long as a socket path may be', 107 - '/.truenow/mine/relay.sock'.length, true],
  ['one byte longer', 108 - '/.truenow/mine/relay.sock'.length, false],
]
for (const [name, rootBytes, near] of sockets) {
  test(`instanceLayout: socket in a path ${name}`, () => {
    const { relaySocket } = instanceLayout(`/${'d'.repeat(rootBytes - 1)}`, 'mine')
    assert.equal(relaySocket.startsWith('/run/'), !near)
    assert.ok(Buffer.byteLength(relaySocket) <= 107)
  })
}

for (const bad of ['', 'Up', 'a/b', '../x', '-a', 'a-', 'a'.repeat(41), 'a b', 'ä']) {
  test(`instanceLayout: refuses the name '${bad}'`, () => {
    assert.throws(() => instanceLayout('/a', bad), /choose another --instance/)
  })
}

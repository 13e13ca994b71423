import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { systemClock } from './clock.ts'
import { createLog } from './log.ts'
import { createPeerAddresses, type ResolveHost } from './peer-addresses.ts'

const lines: string[] = []
const log = createLog({ role: 'test', destination: { write: (line) => lines.push(line) } })
const context = { log, clock: systemClock, registry: new Registry(), pod: 'p', version: '1' }

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = performance.now() + 10_000; !holds(); await sleep(5))
    assert.ok(performance.now() < deadlineMs, `not within 10 s: ${what}`)
}

test('peer addresses: literal ones are there at once, sorted, each once, and nothing is looked up', () => {
  const resolveHost = () => assert.fail('looked up')
  const peers = createPeerAddresses(' 10.0.0.2:9100, 10.0.0.1:9100,10.0.0.2:9100, [fd00::1]:9100,', {
    context,
    resolveHost,
  })
  assert.deepEqual(peers.current(), ['10.0.0.1:9100', '10.0.0.2:9100', '[fd00::1]:9100'])
  peers.close()
  assert.deepEqual(createPeerAddresses('', { context, resolveHost }).current(), [])
})

test('peer addresses: follow their name, and stay while it does not resolve', async () => {
  let answer: readonly string[] | undefined = ['10.0.0.2', '10.0.0.1']
  let asked = 0
  const resolveHost: ResolveHost = async (host) => {
    asked += 1
    assert.equal(host, 'demo-ingester')
    if (answer === undefined) throw new Error('ENOTFOUND')
    return answer
  }
  const peers = createPeerAddresses('demo-ingester:9100,127.0.0.1:1', { context, resolveHost })
  const heard: string[] = []
  peers.onChange(() => {
    throw new Error('my mistake')
  })
  peers.onChange((addresses) => heard.push(addresses.join()))
  assert.deepEqual(peers.current(), ['127.0.0.1:1'])
  await until(() => peers.current().length === 3, 'the first answer')
  const before = asked
  answer = undefined
  await until(() => asked >= before + 2, 'two look-ups that fail')
  assert.equal(peers.current().length, 3)
  answer = ['10.0.0.3', '::1']
  await until(() => peers.current().includes('10.0.0.3:9100'), 'the new answer')
  peers.close()
  assert.deepEqual(heard, ['10.0.0.1:9100,10.0.0.2:9100,127.0.0.1:1', '10.0.0.3:9100,127.0.0.1:1,[::1]:9100'])
  assert.equal(lines.filter((line) => line.includes('my mistake')).length, 2)
})

test('peer addresses: a look-up that hangs is not asked again, and says nothing after close', async () => {
  const hanging = Promise.withResolvers<readonly string[]>()
  let asked = 0
  const resolveHost = () => {
    asked += 1
    return hanging.promise
  }
  const peers = createPeerAddresses('demo:1', { context, resolveHost })
  peers.onChange(() => assert.fail('closed'))
  await sleep(1_200)
  assert.equal(asked, 1)
  peers.close()
  hanging.resolve(['10.0.0.1'])
  await new Promise(setImmediate)
  assert.deepEqual(peers.current(), [])
})

test('peer addresses: the system’s resolver knows localhost, as one peer', async () => {
  const peers = createPeerAddresses('localhost:9100', { context })
  await until(() => peers.current().length > 0, 'localhost')
  assert.deepEqual(peers.current(), ['127.0.0.1:9100'])
  peers.close()
})

for (const spec of [
  'demo',
  'demo:',
  ':9100',
  'demo:65536',
  'demo:0',
  'demo:http',
  '::1:9100',
  '[demo]:1',
  'a b:1',
]) {
  test(`peer addresses: '${spec}' is refused`, () => {
    assert.throws(() => createPeerAddresses(spec, { context }), { code: 'TN_CONFIG_INVALID' })
  })
}

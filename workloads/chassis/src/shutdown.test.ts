import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from './log.ts'
import { createShutdown } from './shutdown.ts'

function made(graceMs = 60_000) {
  const lines: string[] = []
  const log = createLog({ role: 'test', destination: { write: (line) => lines.push(line) } })
  const gaveUp = Promise.withResolvers<void>()
  return { lines, gaveUp: gaveUp.promise, shutdown: createShutdown(graceMs, log, gaveUp.resolve) }
}

test('shutdown: what was opened last is closed first, one after the other', async () => {
  const { shutdown, lines } = made()
  const order: string[] = []
  for (const name of ['kafka', 'grpc', 'http']) {
    shutdown.onClose(name, async () => {
      order.push(`${name} begins`)
      await new Promise(setImmediate)
      order.push(`${name} ends`)
    })
  }
  await shutdown.close()
  assert.deepEqual(order, [
    'http begins',
    'http ends',
    'grpc begins',
    'grpc ends',
    'kafka begins',
    'kafka ends',
  ])
  assert.deepEqual(lines, [])
})

test('shutdown: one that fails, in either way, does not keep the others from closing', async () => {
  const { shutdown, lines } = made()
  let closed = false
  shutdown.onClose('first', async () => {
    closed = true
  })
  shutdown.onClose('rejects', () => Promise.reject(new Error('stuck')))
  shutdown.onClose('throws', () => {
    throw new Error('at once')
  })
  await shutdown.close()
  assert.equal(closed, true)
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { name: string }).name),
    ['throws', 'rejects'],
  )
})

test('shutdown: a second call waits for the first and closes nothing again', async () => {
  const { shutdown } = made()
  let times = 0
  shutdown.onClose('once', async () => {
    times += 1
  })
  await Promise.all([shutdown.close(), shutdown.close()])
  await shutdown.close()
  assert.equal(times, 1)
})

test('shutdown: gives up after its grace period, and names what it waited for', async () => {
  const { shutdown, gaveUp, lines } = made(20)
  const stuck = Promise.withResolvers<void>()
  shutdown.onClose('later', async () => {})
  shutdown.onClose('stuck', () => stuck.promise)
  const closing = shutdown.close()
  await gaveUp
  assert.match(lines[0] ?? '', /"level":"ERROR".*"name":"stuck".*grace period/)
  stuck.resolve()
  await closing
})

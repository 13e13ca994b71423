import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { RedisConnector } from '../src/redis-connector.ts'

test('RedisConnector: an error after the first ends nothing, with whoever listened once gone', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const connector = new RedisConnector({ host: '127.0.0.1', port, family: 0, disconnectTimeout: 1_000 })
  const stream = await connector.connect()
  const heard: string[] = []
  stream.once('error', (error) => heard.push(error.message))
  await once(stream, 'connect')
  stream.emit('error', new Error('certificate refused'))
  stream.emit('error', new Error('alert'))
  assert.deepEqual([heard, connector.firstError?.message], [['certificate refused'], 'certificate refused'])
  connector.disconnect()
  await once(stream, 'close')
})

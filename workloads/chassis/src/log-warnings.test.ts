import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { createLog } from './log.ts'
import { logWarnings } from './log-warnings.ts'

test('logWarnings: a warning is one line of JSON, a harmless one none, and after the stop none at all', () => {
  const lines: string[] = []
  const source = new EventEmitter()
  const log = createLog({ role: 'gateway', destination: { write: (line) => lines.push(line) } })
  const stop = logWarnings(source, log)
  const warn = (name: string) => source.emit('warning', Object.assign(new Error('11 listeners'), { name }))
  warn('MaxListenersExceededWarning')
  warn('TimeoutNegativeWarning')
  stop()
  warn('MaxListenersExceededWarning')
  const [line = '', ...more] = lines
  assert.deepEqual(more, [])
  const { level, role, err } = JSON.parse(line) as { level: string; role: string; err: { message: string } }
  assert.deepEqual([level, role, err.message], ['WARN', 'gateway', '11 listeners'])
})

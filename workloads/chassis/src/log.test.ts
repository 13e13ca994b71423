import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, type LogLevel } from './log.ts'

function logged(level: LogLevel = 'DEBUG') {
  const lines: string[] = []
  const log = createLog({
    role: 'query',
    pod: 'demo-query-0',
    level,
    destination: { write: (line) => lines.push(line) },
  })
  return { log, lines, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

test('log: one JSON object a line, with time, level, role, pod, fields and message', () => {
  const { log, lines, entries } = logged()
  log.info({ rows: 3 }, 'answered')
  const { time, ...rest } = entries()[0] ?? {}
  assert.deepEqual(rest, { level: 'INFO', role: 'query', pod: 'demo-query-0', rows: 3, msg: 'answered' })
  assert.equal(new Date(String(time)).toISOString(), time)
  assert.match(lines[0] ?? '', /^\{[^\n]*\}\n$/)
})

const levels: ReadonlyArray<[level: LogLevel, shown: readonly string[]]> = [
  ['DEBUG', ['DEBUG', 'INFO', 'WARN', 'ERROR']],
  ['INFO', ['INFO', 'WARN', 'ERROR']],
  ['WARN', ['WARN', 'ERROR']],
  ['ERROR', ['ERROR']],
]
for (const [level, shown] of levels) {
  test(`log: level ${level} shows ${shown.join(', ')}`, () => {
    const { log, entries } = logged(level)
    log.debug({}, 'm')
    log.info({}, 'm')
    log.warn({}, 'm')
    log.error({}, 'm')
    assert.deepEqual(
      entries().map((entry) => entry.level),
      shown,
    )
  })
}

test('log: no secret, not in a field, not in the message of an error, not in its cause', () => {
  const { log, lines } = logged()
  const url = 'postgres://truenow:hunter2@db:5432/truenow?sslmode=require'
  const cause = new Error(`cannot reach redis://:hunter2@cache:6379 or ${url}`)
  log.error({ err: new Error('failed', { cause }) }, `no answer from ${url}`)
  log.info({ password: 'hunter2', settings: { token: 'hunter2', url } }, 'read')
  assert.equal(lines.join('').includes('hunter2'), false, lines.join(''))
  assert.match(lines[0] ?? '', /postgres:\/\/truenow:\[secret\]@db:5432/)
})

test('log: addresses that carry no password stay as they are', () => {
  const { log, entries } = logged()
  const message = 'http://10.0.0.1:8081/health answered user@example at 10:30:00'
  log.info({ address: 'demo-ingester:9100' }, message)
  assert.equal(entries()[0]?.msg, message)
})

test('log: what JSON cannot say does not throw', () => {
  const { log, entries } = logged()
  const circle: Record<string, unknown> = { offset: 5n }
  circle.self = circle
  log.info({ circle, offset: 5n }, 'm')
  assert.equal(entries()[0]?.msg, 'm')
})

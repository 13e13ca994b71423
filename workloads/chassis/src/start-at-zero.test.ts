import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counter, Registry } from 'prom-client'
import { startAtZero } from './start-at-zero.ts'

test('startAtZero: each value is told before anything was counted, and counted from there', async () => {
  const registry = new Registry()
  const labelNames = ['outcome'] as const
  const counter = new Counter({ name: 'things_total', help: 'h', labelNames, registers: [registry] })
  assert.equal(startAtZero(counter, 'outcome', ['written', 'failed']), counter)
  counter.inc({ outcome: 'failed' })
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('things_total'))
  assert.deepEqual(lines, ['things_total{outcome="written"} 0', 'things_total{outcome="failed"} 1'])
})

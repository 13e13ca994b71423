import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { exposeWorkerMetrics } from './expose-worker-metrics.ts'
import { createCopyMetrics, createHotTierMetrics } from './metrics.ts'
import type { ShardWorker } from './shard-worker.ts'

/** A worker that only has metrics; `asked` counts how often it was asked for them. */
function worker() {
  const registry = new Registry()
  const metrics = createHotTierMetrics(registry)
  const state = { asked: 0 }
  const samples = async () => {
    state.asked += 1
    // As they cross to another thread.
    return structuredClone(await registry.getMetricsAsJSON())
  }
  return { metrics, state, port: { samples } as unknown as ShardWorker }
}

test('exposeWorkerMetrics: sums over the workers, and each worker’s own where a metric has the label', async () => {
  const [zero, one] = [worker(), worker()]
  const registry = new Registry()
  exposeWorkerMetrics(registry, [zero.port, one.port])
  zero.metrics.rows.inc({ outcome: 'applied' }, 3)
  one.metrics.rows.inc({ outcome: 'applied' }, 4)
  zero.metrics.snapshots.inc({ outcome: 'written' }, 2)
  one.metrics.snapshots.inc({ outcome: 'written' }, 5)
  one.metrics.snapshots.inc({ outcome: 'failed' })
  zero.metrics.residentBytes.set(10)
  one.metrics.residentBytes.set(32)
  zero.metrics.applySeconds.observe(0.0003)
  one.metrics.applySeconds.observe(9)
  const text = await registry.metrics()
  const has = (line: string) => assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`)
  has('truenow_hot_tier_rows_total{outcome="applied",worker="0"} 3')
  has('truenow_hot_tier_rows_total{outcome="applied",worker="1"} 4')
  has('truenow_hot_tier_snapshots_total{outcome="written"} 7')
  has('truenow_hot_tier_snapshots_total{outcome="failed"} 1')
  has('truenow_hot_tier_resident_bytes 42')
  has('truenow_hot_tier_apply_seconds_bucket{le="0.0005",worker="0"} 1')
  has('truenow_hot_tier_apply_seconds_bucket{le="0.5",worker="1"} 0')
  has('truenow_hot_tier_apply_seconds_count{worker="1"} 1')
  has('# TYPE truenow_hot_tier_apply_seconds histogram')
  assert.deepEqual([zero.state.asked, one.state.asked], [1, 1], 'a scrape asks a worker once')
  await registry.metrics()
  assert.deepEqual([zero.state.asked, one.state.asked], [2, 2])
})

test('exposeWorkerMetrics: what the main thread counts of a metric is in its sum, and is no worker', async () => {
  const one = worker()
  const own = new Registry()
  const copies = createCopyMetrics(own)
  const registry = new Registry()
  exposeWorkerMetrics(registry, [one.port, { samples: () => own.getMetricsAsJSON() }])
  one.metrics.copyBytes.inc({ direction: 'taken' }, 3)
  one.metrics.copyBytes.inc({ direction: 'given' }, 4)
  copies.copyBytes.inc({ direction: 'given' }, 5)
  one.metrics.arenaBytes.set(6)
  const lines = (await registry.metrics()).split('\n')
  const samples = lines.filter((line) => /^truenow_hot_tier_(copy_bytes_total|arena_bytes)\b/.test(line))
  assert.deepEqual(samples, [
    'truenow_hot_tier_arena_bytes{worker="0"} 6',
    'truenow_hot_tier_copy_bytes_total{direction="taken"} 3',
    'truenow_hot_tier_copy_bytes_total{direction="given"} 9',
  ])
})

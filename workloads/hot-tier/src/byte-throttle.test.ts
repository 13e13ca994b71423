import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@truenow/chassis/clock.ts'
import { createByteThrottle } from './byte-throttle.ts'

const never = new AbortController().signal

test('byteThrottle: all callers together get no more than the rate, after the burst', async () => {
  const throttle = createByteThrottle(1_000_000, systemClock)
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: 4 }, () => throttle(50_000, never)))
  const ms = performance.now() - startedMs
  assert.ok(ms >= 175, `200,000 bytes at 1 MB/s, less a burst of 20 ms, took ${ms} ms`)
})

test('byteThrottle: who leaves does not wait', async () => {
  const throttle = createByteThrottle(1_000, systemClock)
  const leaving = new AbortController()
  const waiting = throttle(1_000_000, leaving.signal)
  leaving.abort()
  await waiting
})

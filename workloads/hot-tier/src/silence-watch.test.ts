import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { SilenceWatch } from './silence-watch.ts'

test('SilenceWatch: calls who is silent for longer than allowed, once, and nobody who speaks or has left', () => {
  mock.timers.enable({ apis: ['setInterval'] })
  let nowMs = 0
  const watch = new SilenceWatch({ nowUs: () => 0, monotonicMs: () => nowMs }, 600)
  const called: string[] = []
  const [speaker] = ['speaker', 'silent'].map((name) => watch.watch(() => called.push(name)))
  const left = watch.watch(() => called.push('left'))
  left.close()
  assert.equal(watch.size, 2)
  for (let step = 0; step < 30; step++) {
    nowMs += 100
    speaker?.heard()
    mock.timers.tick(100)
    assert.deepEqual(called, nowMs > 600 ? ['silent'] : [], `at ${nowMs} ms`)
  }
  assert.equal(watch.size, 1)
  speaker?.close()
  assert.equal(watch.size, 0)
  nowMs += 10_000
  mock.timers.tick(10_000)
  assert.deepEqual(called, ['silent'], 'nobody is left to be watched')
  mock.timers.reset()
})

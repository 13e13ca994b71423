import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createCacheInMemory } from '../src/cache-in-memory.ts'
import type { CachePort } from '../src/cache-port.ts'
import { systemClock } from '../src/clock.ts'
import { createLog } from '../src/log.ts'
import { createRedisClient } from '../src/redis-client.ts'
import { startRedis } from '../src/testing/start-redis.ts'

let server: Awaited<ReturnType<typeof startRedis>>
const log = createLog({ role: 'test', level: 'ERROR' })
const caches: Record<string, CachePort> = { 'in memory': createCacheInMemory({ clock: systemClock }) }

before(async () => {
  server = await startRedis()
  caches.redis = createRedisClient({ url: () => server.url, log, clock: systemClock })
  for (let tries = 0; !(await caches.redis.reachable()) && tries < 100; tries++) await sleep(20)
})
after(async () => {
  for (const cache of Object.values(caches)) await cache.close()
  await server?.stop()
})

for (const name of ['in memory', 'redis']) {
  const cache = () => caches[name] as CachePort
  test(`${name}: what was set is there, bytes and all, until its time is over`, async () => {
    const value = Buffer.from([0, 255, 10, 13])
    await cache().set('a', value, 1)
    assert.deepEqual(await cache().get('a'), value)
    await sleep(1_200)
    assert.equal(await cache().get('a'), undefined)
  })

  test(`${name}: an entry beyond the limit is not stored`, async () => {
    await cache().set('large', Buffer.alloc((1 << 20) + 1), 10)
    assert.equal(await cache().get('large'), undefined)
  })
}

test('redis: stopped or gone it is a miss within 50 ms, and it comes back by itself', async () => {
  const redis = caches.redis as CachePort
  await redis.set('b', Buffer.from('x'), 60)
  server.kill('SIGSTOP')
  const times: number[] = []
  for (let turn = 0; turn < 10; turn++) {
    const startedMs = performance.now()
    assert.equal(await redis.get('b'), undefined)
    times.push(performance.now() - startedMs)
  }
  assert.ok(times.toSorted((a, b) => a - b)[5]! <= 50, `the median was ${times.join(', ')} ms`)
  server.kill('SIGCONT')
  await until(async () => (await redis.get('b'))?.toString() === 'x')
  server.kill('SIGKILL')
  assert.equal(await redis.get('b'), undefined)
  await server.restart()
  await until(() => redis.reachable())
})

test('redis: a rotated password is taken over while entries are found, whichever of both changes first', async (t) => {
  const admin = new Redis(server.url)
  t.after(() => admin.disconnect())
  const passwords = (...texts: string[]) =>
    admin.call('ACL', [
      'SETUSER',
      'rotating',
      'on',
      'resetpass',
      '~*',
      '+@all',
      ...texts.map((one) => `>${one}`),
    ])
  const urlWith = (password: string) => server.url.replace('redis://', `redis://rotating:${password}@`)
  await passwords('one')
  let url = urlWith('one')
  const cache = createRedisClient({ url: () => url, log, clock: systemClock })
  t.after(cache.close)
  await until(() => cache.reachable())
  await cache.set('kept', Buffer.from('x'), 60)
  /** A busy machine misses the 40 ms of one or the other. */
  const areFound = async (ms: number) => {
    let [asked, found] = [0, 0]
    for (const endMs = performance.now() + ms; performance.now() < endMs; await sleep(20)) {
      asked += 1
      if ((await cache.get('kept'))?.toString() === 'x') found += 1
    }
    assert.ok(found >= 0.8 * asked, `${found} of ${asked}`)
  }
  url = urlWith('two') // The file first: the old connection serves until the new password is one.
  await areFound(2_500)
  await passwords('two')
  await until(async () => (await usersOf(admin)) === 1 && (await cache.reachable()))
  await passwords('three') // Redis first: who is connected stays so.
  await areFound(1_500)
  url = urlWith('three')
  await areFound(2_500)
  await admin.call('CLIENT', ['KILL', 'USER', 'rotating'])
  await until(() => cache.reachable()) // What it comes back with is the new one.
})

const usersOf = async (admin: Redis): Promise<number> =>
  String(await admin.call('CLIENT', ['LIST']))
    .split('\n')
    .filter((line) => line.includes('user=rotating')).length

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000
  while (!(await condition())) {
    assert.ok(performance.now() < giveUpAt, 'not within 20 s')
    await sleep(50)
  }
}

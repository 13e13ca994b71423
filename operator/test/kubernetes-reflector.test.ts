import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { createKubernetesMetrics } from '../src/kubernetes/kubernetes-metrics.ts'
import type { Stored } from '../src/kubernetes/kubernetes-port.ts'
import { createReflector, type ReflectorOptions } from '../src/kubernetes/reflector.ts'
import { SERVICES, startCollection } from './kubernetes-collection.ts'
import { type Answer, clientOf, json, refuse, until } from './kubernetes-stub.ts'

const timings = {
  backoffMsMin: 20,
  backoffMsMax: 60,
  shortWatchMs: 20,
  checkMsMin: 60_000,
  checkMsMax: 60_000,
}

async function scene(
  t: TestContext,
  options: Partial<ReflectorOptions<Stored>> & { names?: readonly string[] } = {},
) {
  const server = await startCollection()
  for (const name of options.names ?? ['a', 'b']) server.put(name)
  const client = clientOf(server.baseUrl)
  const metrics = createKubernetesMetrics(new Registry())
  const heard: string[] = []
  const mirror = new Map<string, Stored>()
  const logged: string[] = []
  const note = (_: unknown, message: string) => void logged.push(message)
  const log: Log = { debug: note, info: note, warn: note, error: note }
  const start = () =>
    createReflector<Stored>(client, SERVICES, {
      namespace: 'n',
      log,
      clock: systemClock,
      random: () => 0.5,
      metrics,
      ...options,
      timings: { ...timings, ...options.timings },
      onChange: (change) => {
        const { name } = change.object.metadata
        heard.push(`${change.kind} ${name}`)
        if (change.kind === 'set') mirror.set(name, change.object)
        else mirror.delete(name)
        options.onChange?.(change)
      },
    })
  const closers: Array<() => Promise<void>> = []
  t.after(async () => {
    for (const close of closers) await close()
    await client.close()
    await server.close()
  })
  const reflect = () => {
    const reflector = start()
    closers.push(reflector.close)
    const versions = (objects: Iterable<Stored>) =>
      [...objects]
        .map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`)
        .sort()
    const same = () => {
      const truth = `${versions(server.objects.values())}`
      return truth === `${versions(reflector.all())}` && truth === `${versions(mirror.values())}`
    }
    return { ...reflector, same }
  }
  const counted = async (metric: 'missedEvents' | 'handlerFailures' | 'relists', reason?: string) =>
    (await metrics[metric].get()).values.find(
      ({ labels }) => (labels as { reason?: string }).reason === reason,
    )?.value ?? 0
  return { server, client, heard, logged, reflect, counted, metrics }
}

test('reflector: lists in pages, asks for no version, then follows the watch', async (t) => {
  const names = Array.from({ length: 1_201 }, (_, at) => `s${at}`)
  const { server, reflect, heard } = await scene(t, { names })
  const { hasSynced, same, get } = reflect()
  await hasSynced()
  assert.ok(same())
  const lists = server.asks('list')
  assert.deepEqual(
    lists.map(({ query }) => [query.get('limit'), query.get('continue'), query.get('resourceVersion')]),
    [
      ['500', null, null],
      ['500', '500', null],
      ['500', '1000', null],
    ],
  )
  await until('the watch', () => server.watches() === 1)
  server.put('s0')
  server.put('new')
  server.remove('s7')
  await until('all three', same)
  assert.deepEqual(heard.slice(1_201), ['set s0', 'set new', 'gone s7'])
  assert.equal('managedFields' in (get({ namespace: 'n', name: 's9' })?.metadata ?? {}), false)
  const [{ query }] = server.asks('watch') as [ReturnType<typeof server.asks>[number]]
  assert.deepEqual([query.get('allowWatchBookmarks'), query.get('timeoutSeconds')], ['true', '360'])
})

test('reflector: an object that was made anew is the old one gone and the new one set', async (t) => {
  const { server, reflect, heard } = await scene(t)
  const { hasSynced, same } = reflect()
  await hasSynced()
  await until('the watch', () => server.watches() === 1)
  server.faults.silent = true
  server.remove('a')
  server.put('a')
  server.compact()
  server.faults.silent = false
  server.cut()
  await until('the new one', same)
  assert.deepEqual(heard.slice(2), ['gone a', 'set a'])
})

const ill: ReadonlyArray<[name: string, answer: Answer]> = [
  ['500', (_, response) => refuse(response, 500, 'InternalError')],
  ['429', (_, response) => refuse(response, 429, 'TooManyRequests')],
  ['a reset', (_, response) => response.socket?.resetAndDestroy()],
  ['an end without a word', (_, response) => response.end()],
]
for (const [name, answer] of ill) {
  test(`reflector: ${name} on the watch is borne, with backoff from the first, and a list after five`, async (t) => {
    // Whatever a busy machine takes for an answer, no watch of this test ends as it should.
    const { server, reflect, heard, counted } = await scene(t, { timings: { shortWatchMs: 60_000 } })
    let failures = 0
    server.faults.watch = (asked, response) => {
      if (failures++ >= 7) return false
      answer(asked, response)
      return true
    }
    const { hasSynced, same } = reflect()
    await hasSynced()
    await until('recovery', () => server.watches() === 1)
    const watches = server.asks('watch')
    assert.ok(watches[1]!.atMs - watches[0]!.atMs >= 14, 'a pause after the first failure')
    assert.equal(await counted('relists', 'failures'), 3)
    server.put('c')
    await until('c', same)
    assert.deepEqual(heard, ['set a', 'set b', 'set c'], 'nothing twice')
  })
}

test('reflector: a connection that is reset goes on where it was, with what happened meanwhile', async (t) => {
  const { server, reflect, heard, counted } = await scene(t)
  const { hasSynced, same } = reflect()
  await hasSynced()
  await until('the watch', () => server.watches() === 1)
  server.put('c')
  server.cut()
  await until('its end', () => server.watches() === 0)
  server.put('d')
  server.remove('a')
  await until('all', same)
  assert.deepEqual(heard.slice(2).sort(), ['gone a', 'set c', 'set d'])
  assert.deepEqual([server.asks('list').length, await counted('relists', 'failures')], [1, 0])
})

for (const how of ['status', 'ERROR event'] as const) {
  test(`reflector: 410 as ${how} lists again and tells the difference, deletes included`, async (t) => {
    const { server, reflect, heard, counted } = await scene(t)
    const { hasSynced, same } = reflect()
    await hasSynced()
    await until('the watch', () => server.watches() === 1)
    server.faults.silent = true
    server.remove('a')
    server.put('b')
    server.put('c')
    server.compact()
    server.faults.silent = false
    const status = { kind: 'Status', code: 410, reason: 'Expired' }
    if (how === 'status') server.cut()
    else server.raw(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
    await until('the difference', same)
    assert.deepEqual(heard.slice(2), ['gone a', 'set b', 'set c'])
    assert.equal(await counted('relists', 'expired'), 1)
  })
}

test('reflector: 410 between pages starts the list again', async (t) => {
  const { server, reflect } = await scene(t, { names: Array.from({ length: 600 }, (_, at) => `s${at}`) })
  let expired = 0
  server.faults.list = ({ query }, response) => {
    if (!query.has('continue') || expired > 0) return false
    expired += 1
    refuse(response, 410, 'Expired')
    return true
  }
  const { hasSynced, same } = reflect()
  await hasSynced()
  assert.ok(same())
  assert.deepEqual(
    server.asks('list').map(({ query }) => query.get('continue')),
    [null, '500', null, '500'],
  )
})

test('reflector: lists that fail are repeated for ever', async (t) => {
  const { server, reflect } = await scene(t)
  let failures = 0
  server.faults.list = (_, response) => {
    if (failures++ >= 9) return false
    refuse(response, 503, 'ServiceUnavailable')
    return true
  }
  const { hasSynced, same } = reflect()
  await hasSynced()
  assert.ok(same())
})

test('reflector: repeated events are told once', async (t) => {
  const { server, reflect, heard } = await scene(t)
  server.faults.repeat = true
  const { hasSynced, same } = reflect()
  await hasSynced()
  await until('the watch', () => server.watches() === 1)
  server.put('a')
  server.remove('b')
  server.put('c')
  await until('all', same)
  assert.deepEqual(heard.slice(2), ['set a', 'gone b', 'set c'])
})

for (const [name, text] of [
  ['cut in the middle', '{"type":"MODIFIED","object":{"metadata":{"name":"a"'],
  ['followed by others', 'no JSON\n'],
  ['without metadata', '{"type":"ADDED","object":{}}\n'],
] as const) {
  test(`reflector: a line that is none, ${name}, loses nothing`, async (t) => {
    const { server, reflect, heard } = await scene(t)
    const { hasSynced, same } = reflect()
    await hasSynced()
    await until('the watch', () => server.watches() === 1)
    server.raw(text)
    if (name === 'cut in the middle') server.cut()
    await until('another watch', () => server.asks('watch').length === 2 && server.watches() === 1)
    server.put('a')
    await until('a', same)
    assert.deepEqual(heard.slice(2), ['set a'])
  })
}

test('reflector: a watch that keeps silent is found out by the next list, counted, and mended', async (t) => {
  const check = { checkMsMin: 120, checkMsMax: 120, checkGraceMs: 40 }
  const { server, reflect, heard, logged, counted } = await scene(t, { timings: check })
  const { hasSynced, same } = reflect()
  await hasSynced()
  await until('a check without a finding', async () => (await counted('relists', 'watchdog')) > 0)
  assert.equal(await counted('missedEvents'), 0)
  server.faults.silent = true
  server.remove('a')
  server.put('c')
  await until('the truth', same)
  assert.deepEqual(heard.slice(2), ['gone a', 'set c'])
  assert.ok((await counted('missedEvents')) >= 2)
  assert.ok(logged.some((message) => message.includes('which is a bug')))
})

test('reflector: checks beside a busy watch find nothing', async (t) => {
  const check = { checkMsMin: 30, checkMsMax: 30, checkGraceMs: 30 }
  const { server, reflect, counted } = await scene(t, { timings: check })
  const { hasSynced, same } = reflect()
  await hasSynced()
  for (let at = 0; at < 60; at++) {
    server.put(`s${at % 7}`)
    if (at % 3 === 0) server.remove(`s${at % 5}`)
    await sleep(5)
  }
  await until('all', same)
  assert.ok((await counted('relists', 'watchdog')) >= 2)
  assert.equal(await counted('missedEvents'), 0)
})

test('reflector: a connection on which nothing comes is given up and opened anew', async (t) => {
  const { server, reflect } = await scene(t, {
    timings: { watchSMin: 0.5, watchSMax: 0.5, silenceMarginMs: -850 },
  })
  const { hasSynced, same, ageMs } = reflect()
  await hasSynced()
  await until('silence', () => server.asks('watch').length === 2 && server.watches() === 1)
  assert.ok(ageMs() >= 100)
  server.put('c')
  await until('c', same)
  assert.ok(ageMs() < 1_000)
})

test('reflector: bookmarks are signs of life and move the version on', async (t) => {
  const { server, reflect } = await scene(t)
  const { hasSynced, ageMs } = reflect()
  await hasSynced()
  await until('the watch', () => server.watches() === 1)
  await sleep(60)
  const before = ageMs()
  server.bookmark()
  await until('the bookmark', () => ageMs() < before)
  server.faults.watch = () => {
    server.faults.watch = () => false
    return false
  }
  server.cut()
  await until('another watch', () => server.asks('watch').length === 2)
  assert.equal(server.asks('watch')[1]!.query.get('resourceVersion'), '102')
})

test('reflector: a handler that throws is counted; others hear, and so does it the next time', async (t) => {
  const { server, reflect, heard, counted } = await scene(t, {
    onChange: ({ object }) => {
      if (object.metadata.name === 'a') throw new Error('a bug')
    },
  })
  const { hasSynced, same } = reflect()
  await hasSynced()
  await until('the watch', () => server.watches() === 1)
  server.put('a')
  server.put('c')
  await until('all', same)
  assert.deepEqual(heard, ['set a', 'set b', 'set a', 'set c'])
  assert.equal(await counted('handlerFailures'), 2)
})

test('reflector: closed while it waits for the next attempt it never comes back', async (t) => {
  const { server, reflect } = await scene(t)
  server.faults.watch = (_, response) => {
    refuse(response, 500, 'InternalError')
    return true
  }
  const { hasSynced, close } = reflect()
  await hasSynced()
  await until('a failure', () => server.asks('watch').length >= 1)
  await close()
  const asked = server.asked.length
  await sleep(200)
  assert.equal(server.asked.length, asked)
})

test('reflector: closed, it tells nothing more, leaves no connection and no metric', async (t) => {
  const closing: Array<Promise<void>> = []
  const { server, reflect, heard, metrics } = await scene(t, {
    names: ['a', 'b', 'c', 'd'],
    onChange: ({ object }) => {
      if (object.metadata.name === 'b') closing.push(reflector.close())
    },
  })
  const reflector = reflect()
  await assert.rejects(async () => {
    await reflector.hasSynced()
    throw new Error('synced')
  })
  await Promise.all(closing)
  server.put('e')
  await sleep(50)
  assert.deepEqual([heard, server.watches()], [['set a', 'set b'], 0])
  assert.equal((await metrics.reflectorObjects.get()).values[0]?.value, 0)
  assert.equal(metrics.reflectors.size, 0)
})

test('reflector: close ends whoever waits for the first list', async (t) => {
  const { server, reflect } = await scene(t)
  server.faults.list = () => true
  const { hasSynced, close } = reflect()
  const waiting = assert.rejects(hasSynced(), { reason: 'Closed' })
  await until('the list', () => server.asked.length === 1)
  await close()
  await waiting
})

test('reflector: more objects than it may hold are refused, clearly, from a list and from a watch', async (t) => {
  const timings = { objectsMax: 3 }
  const { server, reflect, heard, logged } = await scene(t, { timings })
  const { hasSynced, all, same } = reflect()
  await hasSynced()
  await until('the watch', () => server.watches() === 1)
  server.put('c')
  server.put('d')
  await until('trouble', () => logged.some((message) => message.includes('trying again')))
  assert.equal(all().length, 3)
  server.remove('a')
  await until('room again', same)
  assert.ok(heard.includes('set d'))
})

test('reflector: whatever fails in whatever order, in the end it holds what the server holds', async (t) => {
  const deed = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constant('put'), fc.constantFrom('a', 'b', 'c', 'd')) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('remove'), fc.constantFrom('a', 'b', 'c', 'd')) },
    {
      weight: 4,
      arbitrary: fc.tuple(
        fc.constantFrom('cut', 'compact', 'bookmark', 'failWatch', 'failList', 'garbage', 'repeat', 'wait'),
        fc.constant(''),
      ),
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 30 }), async (deeds) => {
      const { server, reflect } = await scene(t, {
        timings: { backoffMsMin: 1, backoffMsMax: 4 },
      })
      const failOnce = (which: 'list' | 'watch') => {
        server.faults[which] = (_, response) => {
          delete server.faults[which]
          refuse(response, 500, 'InternalError')
          return true
        }
      }
      const does: Record<string, (name: string) => unknown> = {
        put: server.put,
        remove: server.remove,
        cut: server.cut,
        compact: server.compact,
        bookmark: server.bookmark,
        failWatch: () => failOnce('watch'),
        failList: () => failOnce('list'),
        garbage: () => server.raw('{"type":'),
        repeat: () => {
          server.faults.repeat = server.faults.repeat !== true
        },
        wait: () => sleep(3),
      }
      const { same, close } = reflect()
      for (const [what, name] of deeds) {
        await does[what]!(name)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await until('the truth', same)
      await close()
      assert.equal(server.watches() <= 1, true)
    }),
    { numRuns: 25 },
  )
})

test('reflector: a list that the server leaves without a version is no list', async (t) => {
  const { server, reflect } = await scene(t)
  let asked = 0
  server.faults.list = (_, response) => {
    if (asked++ > 4) return false
    json(response, 200, { items: [] })
    return true
  }
  const { hasSynced, same } = reflect()
  await hasSynced()
  assert.ok(same())
})

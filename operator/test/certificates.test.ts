import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tlsMaterial } from '@truenow/chassis/tls-credentials.ts'
import fc from 'fast-check'
import { decodeAuthorities, lifeOf } from '../src/certificates/authorities.ts'
import { decodeLeaf } from '../src/certificates/leaf-secret.ts'
import { createPodsWithCertificates } from './pods-with-certificates.ts'
import { clusterSpec, createScene, DEMO, type Operator, type Scene } from './scene.ts'

/*
 * The operator leads a cluster to certificates, to another authority and back over an API server in memory. Pods take over what
 * is written one by one, in any order and as late as they like; after each, every call that any of them makes must be understood.
 */
const ROUND_MS = 30_000
const ROUNDS_MAX = 60
const PODS = 7
const FAILURES_TOLD_MAX = 3

const SMALL = {
  gateway: { replicas: 1 },
  ingester: { replicas: 1 },
  query: { replicas: 1, cacheTtlSeconds: 60 },
}

type World = ReturnType<typeof createWorld>

function createWorld(mode?: 'Disable' | 'Prefer' | 'Require') {
  const scene = createScene()
  scene.createCluster(clusterSpec({ ...SMALL, ...(mode === undefined ? {} : { tls: { mode } }) }))
  const pods = createPodsWithCertificates(scene)
  let operator = scene.operator()
  let hasLooked = false
  const failing: string[] = []
  const check = (when: string) => {
    if (failing.length >= FAILURES_TOLD_MAX) return
    for (const one of pods.failingCalls(hasLooked ? operator : undefined)) failing.push(`${when}: ${one}`)
  }
  return {
    scene,
    pods,
    failing,
    look: async () => {
      const one = operator
      await settle(one)
      hasLooked = one === operator
    },
    lastError: () => operator.errors.at(-1),
    /** Another process leads: nothing but what stands in Kubernetes is known to it. */
    replaceOperator: () => {
      hasLooked = false // It calls nobody before.
      operator = scene.operator()
    },
    check,
    setMode: (to: 'Disable' | 'Prefer' | 'Require') =>
      scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { tls: { mode: to } })),
    annotate: (name: string, value: string) =>
      scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
        const metadata = draft.metadata as { annotations?: Record<string, string> }
        metadata.annotations = { ...metadata.annotations, [name]: value }
      }),
    condition: () => scene.cluster()?.status?.conditions?.find(({ type }) => type === 'Secured'),
    authorities: () => authoritiesOf(scene),
    leaf: (role: string) => decodeLeaf(secretData(scene, `demo-${role}-tls`) ?? {}),
  }
}

const secretData = ({ kubernetes }: Scene, name: string) =>
  kubernetes.find('Secret', { ...DEMO, name })?.data as Record<string, string> | undefined
const authoritiesOf = (scene: Scene) => decodeAuthorities(secretData(scene, 'demo-ca') ?? {})

/** One look of the operator, then every pod in turn hears of it; `order` says which first. */
async function round(world: World, order: (names: string[]) => string[] = (names) => names): Promise<void> {
  const { scene, pods, check } = world
  await world.look()
  check('after a pass')
  pods.run()
  check('after pods were made')
  for (const name of order(pods.names())) {
    pods.refresh(name)
    check(`after ${name} read its volume`)
  }
  scene.advance(ROUND_MS)
}

async function settle(operator: Operator): Promise<void> {
  operator.sync()
  operator.addAll()
  await operator.work()
  operator.sync()
}

async function until(world: World, what: string, done: () => boolean, order?: (names: string[]) => string[]) {
  for (let rounds = 0; !done(); rounds++) {
    assert.ok(rounds < ROUNDS_MAX, `${what}: ${JSON.stringify(world.condition())}; ${world.lastError()}`)
    await round(world, order)
  }
  await round(world, order)
}

const isSecured = (world: World) => () => world.condition()?.status === 'True'
const areAllIn = (world: World, phase: string) => () =>
  world.pods.names().length === PODS &&
  world.pods.names().every((name) => world.pods.held(name)?.files?.phase === phase)

describe('certificates of a cluster', () => {
  test('a new cluster begins where its mode leads, and every pod has what it needs before it starts', async () => {
    const world = createWorld('Require')
    await until(world, 'secured', isSecured(world))
    assert.deepEqual(world.failing, [])
    assert.ok(areAllIn(world, 'require')())
    assert.match(world.condition()?.message ?? '', /refused.*holds until 2028-12-31/)
    const { identity, certificate } = tlsMaterial(world.leaf('ingester'))
    assert.deepEqual(identity, { namespace: 'apps', cluster: 'demo', role: 'ingester' })
    assert.equal(certificate.checkHost('demo-ingester.apps.svc'), 'demo-ingester.apps.svc')
    const types = world.scene.kubernetes
      .list('Secret')
      .map(({ type, metadata }) => `${metadata.name} ${type}`)
    assert.equal(types.length, 8)
    assert.ok(types.includes('demo-ca Opaque') && types.includes('demo-hot-tier-tls kubernetes.io/tls'))
  })

  test('a cluster without certificates has neither Secrets nor the condition, and its pods are as before', async () => {
    const without = createWorld()
    await until(without, 'made', () => without.pods.names().length === PODS)
    const off = createWorld('Disable')
    await until(off, 'made', () => off.pods.names().length === PODS)
    for (const { scene, condition } of [without, off]) {
      assert.deepEqual([scene.kubernetes.list('Secret'), condition()], [[], undefined])
      assert.ok(!scene.kubernetes.calls.some(({ kind }) => kind === 'Secret'), 'Secrets are not even read')
    }
    const templates = ({ scene }: World) => scene.kubernetes.list('Deployment').map(({ spec }) => spec)
    assert.deepEqual(templates(off), templates(without))
  })

  test('at rest, Secrets are read once in ten minutes and nothing is written', async () => {
    const world = createWorld('Require')
    await until(world, 'secured', isSecured(world))
    const { calls } = world.scene.kubernetes
    const before = { reads: calls.filter(({ verb, kind }) => verb === 'get' && kind === 'Secret').length, writes: world.scene.kubernetes.writes() } // biome-ignore format: one line
    for (let rounds = 0; rounds < 19; rounds++) await round(world)
    const reads = calls.filter(({ verb, kind }) => verb === 'get' && kind === 'Secret').length - before.reads
    assert.ok(reads > 0 && reads <= 8, `${reads} reads`)
    assert.equal(world.scene.kubernetes.writes(), before.writes)
  })

  test('to certificates, to another authority and back: no call fails whatever pods hear first', async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat()), fc.boolean(), async (numbers, replaced) => {
        const world = createWorld('Disable')
        // Some hear of a step in this round, some in a later one.
        const order = (names: string[]) => {
          if (replaced && (numbers.next().value ?? 0) % 4 === 0) world.replaceOperator()
          return names
            .filter(() => (numbers.next().value ?? 0) % 3 > 0)
            .toSorted(() => ((numbers.next().value ?? 0) % 2) - 0.5)
        }
        await until(world, 'made', () => world.pods.names().length === PODS, order)
        world.setMode('Require')
        await until(
          world,
          'told',
          () => world.condition()?.message.includes('waits for its restart') === true,
          order,
        )
        world.pods.restartShards()
        await until(world, 'secured', isSecured(world), order)
        const first = world.authorities()?.current.certificatePem
        world.annotate('truenow.io/renew-authority', 'now')
        await until(world, 'begun', () => world.condition()?.status === 'False', order)
        await until(world, 'secured by another', isSecured(world), order)
        const second = world.authorities()
        assert.notEqual(second?.current.certificatePem, first)
        assert.deepEqual([second?.next, second?.previous], [undefined, undefined])
        world.setMode('Disable')
        await until(world, 'plain', () => world.condition() === undefined, order)
        world.pods.restartShards()
        await until(world, 'bare', () => world.pods.names().every((name) => world.pods.held(name)?.files === undefined), order) // biome-ignore format: one line
        assert.deepEqual(world.failing, [])
      }),
      { numRuns: 6 },
    )
  })

  test('certificates are renewed when two thirds are over, when asked for, and when they are lost or broken', async () => {
    const world = createWorld('Require')
    const { kubernetes } = world.scene
    await until(world, 'secured', isSecured(world))
    const serial = (role: string) => tlsMaterial(world.leaf(role)).certificate.serialNumber
    const days = (count: number) => world.scene.advance(count * 86_400_000)
    const renewals = () => world.scene.events().filter(({ reason }) => reason === 'CertificateRenewed').length
    const first = serial('query')
    days(59)
    await until(world, 'looked', () => true)
    assert.deepEqual([serial('query') === first, renewals()], [true, 0])
    days(2)
    await until(world, 'renewed', isSecured(world))
    assert.deepEqual([serial('query') === first, renewals()], [false, 1])
    const second = serial('query')
    world.annotate('truenow.io/renew-certificates', 'please')
    await until(world, 'asked for', () => serial('query') !== second)
    const third = serial('query')
    for (let rounds = 0; rounds < 3; rounds++) await round(world)
    assert.equal(serial('query'), third, 'asked for once')
    kubernetes.delete('Secret', { ...DEMO, name: 'demo-query-tls' })
    kubernetes.edit('Secret', { ...DEMO, name: 'demo-gateway-tls' }, (draft) => {
      draft.data = { ...(draft.data as object), 'tls.key': Buffer.from('broken').toString('base64') }
    })
    world.replaceOperator()
    await until(world, 'put back', isSecured(world))
    assert.notEqual(serial('query'), third)
    tlsMaterial(world.leaf('gateway'))
    assert.deepEqual(world.failing, [])
  })

  test('an authority that nears its end is followed by another, without a failed call', async () => {
    const world = createWorld('Require')
    await until(world, 'secured', isSecured(world))
    const first = world.authorities()?.current.certificatePem ?? ''
    // In steps, so that leaves are renewed meanwhile.
    while (world.scene.clock.nowUs() < lifeOf(first).renewUs) {
      world.scene.advance(20 * 86_400_000)
      await round(world)
    }
    await until(
      world,
      'followed',
      () => isSecured(world)() && world.authorities()?.current.certificatePem !== first,
    )
    assert.deepEqual(world.failing, [])
    const { untilUs } = tlsMaterial(world.leaf('query'))
    assert.ok(untilUs > world.scene.clock.nowUs())
  })

  test('the operator dies at every write of a Secret, before or after it: the next one finishes, and no call fails', async () => {
    const story = async (dieAt: number, answered: boolean) => {
      const world = createWorld('Require')
      let writes = 0
      world.scene.kubernetes.hooks.around = ({ verb, kind }, work) => {
        const isWrite = kind === 'Secret' && (verb === 'apply' || verb === 'create')
        if (isWrite) writes += 1
        if (!isWrite || writes !== dieAt) return work()
        if (answered) work()
        world.replaceOperator()
        throw new Error('killed')
      }
      await until(world, 'secured', isSecured(world))
      const first = world.authorities()?.current.certificatePem
      world.annotate('truenow.io/renew-authority', 'now')
      await until(world, 'begun', () => world.authorities()?.next !== undefined)
      await until(world, 'secured by another', isSecured(world))
      const { current, next, previous, phase } = world.authorities() ?? {}
      assert.ok(
        current?.certificatePem !== first && next === undefined && previous === undefined,
        `write ${dieAt}`,
      )
      assert.deepEqual([phase, world.failing], ['require', []], `write ${dieAt}, answered: ${answered}`)
      return writes
    }
    const all = await story(Number.POSITIVE_INFINITY, true)
    assert.ok(all > 30, `${all} writes`)
    for (let dieAt = 1; dieAt <= all; dieAt++)
      for (const answered of [false, true]) await story(dieAt, answered)
  })

  test('a lost authority is rebuilt from what the leaves trust, and another one is led in', async () => {
    const world = createWorld('Require')
    await until(world, 'secured', isSecured(world))
    const first = world.authorities()?.current.certificatePem
    world.scene.kubernetes.delete('Secret', { ...DEMO, name: 'demo-ca' })
    world.replaceOperator()
    await until(world, 'lost', () => world.authorities()?.current.keyPem === '')
    await until(world, 'led in', isSecured(world))
    assert.ok(world.authorities()?.current.certificatePem !== first)
    assert.deepEqual(world.failing, [])
  })

  test('an authority that is lost in the middle of a change is rebuilt too, with leaves of both about', async () => {
    for (const step of ['next', 'previous'] as const) {
      const world = createWorld('Require')
      await until(world, 'secured', isSecured(world))
      world.annotate('truenow.io/renew-authority', 'now')
      for (let rounds = 0; world.authorities()?.[step] === undefined; rounds++) {
        assert.ok(rounds < ROUNDS_MAX)
        await round(world)
      }
      // Some roles have got their new leaf or their new trust, others have not.
      const { kubernetes } = world.scene
      let writes = 0
      kubernetes.hooks.around = ({ verb, kind }, work) => {
        if (kind === 'Secret' && verb === 'apply') writes += 1
        if (writes > 3) throw new Error('killed')
        return work()
      }
      await world.look()
      kubernetes.hooks.around = (_call, work) => work()
      kubernetes.delete('Secret', { ...DEMO, name: 'demo-ca' })
      world.replaceOperator()
      await until(world, 'lost', () => world.authorities()?.current.keyPem === '')
      await until(world, 'led in', isSecured(world))
      assert.deepEqual([world.authorities()?.previous, world.failing], [undefined, []], step)
    }
  })

  test('a pod that says nothing, or is not to be seen, holds a change up and nothing else', async () => {
    const world = createWorld('Require')
    await until(world, 'secured', isSecured(world))
    const { scene, pods } = world
    const { askPodTls } = scene.scene
    world.annotate('truenow.io/renew-authority', 'now')
    // An evicted pod stays listed, and calls nobody.
    scene.kubernetes.create({ apiVersion: 'v1', kind: 'Pod', metadata: { ...DEMO, name: 'evicted', labels: { 'truenow.io/cluster': 'demo', 'app.kubernetes.io/component': 'query' } }, status: { phase: 'Failed' } }) // biome-ignore format: one line
    scene.scene.askPodTls = async (address) =>
      address.startsWith('10.0.0.1:') ? undefined : askPodTls(address)
    for (let rounds = 0; rounds < 5; rounds++) await round(world)
    assert.match(world.condition()?.message ?? '', /1 pods have not taken .* does not answer/)
    assert.equal(world.authorities()?.next, undefined)
    scene.scene.askPodTls = askPodTls
    const [name = ''] = pods.names()
    scene.kubernetes.delete('Pod', { ...DEMO, name })
    scene.advance(ROUND_MS)
    await world.look()
    assert.match(world.condition()?.message ?? '', /one of the \d pods of/)
    assert.equal(world.authorities()?.next, undefined)
    assert.equal(
      scene.cluster()?.status?.conditions?.find(({ type }) => type === 'OperandReachable')?.status,
      'True',
    )
    await until(world, 'goes on', () => world.authorities()?.previous !== undefined)
  })

  test('paused: certificates are renewed, phases stand still', async () => {
    const world = createWorld('Prefer')
    await until(world, 'secured', isSecured(world))
    world.scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: true, tls: { mode: 'Require' } })) // biome-ignore format: one line
    const before = tlsMaterial(world.leaf('query')).certificate.serialNumber
    world.scene.advance(61 * 86_400_000)
    for (let rounds = 0; rounds < 6; rounds++) await round(world)
    assert.notEqual(tlsMaterial(world.leaf('query')).certificate.serialNumber, before)
    assert.deepEqual([world.authorities()?.phase, world.condition()?.reason], ['use', 'Paused'])
  })

  test('Secrets that are another’s are left alone; Secrets that may not be read are told of', async () => {
    const taken = createWorld('Require')
    taken.scene.kubernetes.create({ apiVersion: 'v1', kind: 'Secret', metadata: { ...DEMO, name: 'demo-ca' }, data: { mine: 'eA==' } }) // biome-ignore format: one line
    await round(taken)
    await round(taken)
    const synced = (world: World) =>
      world.scene.cluster()?.status?.conditions?.find(({ type }) => type === 'Synced')
    assert.deepEqual([synced(taken)?.reason, taken.scene.kubernetes.list('Secret').length], ['NameTaken', 1])
    assert.equal(taken.scene.kubernetes.list('Deployment').length, 0, 'no pod is made that could not start')

    const { KubernetesError } = await import('../src/kubernetes/kubernetes-port.ts')
    const forbidden = createWorld('Require')
    forbidden.scene.kubernetes.hooks.around = ({ kind }, work) => {
      if (kind === 'Secret')
        throw new KubernetesError('secrets is forbidden', { status: 403, reason: 'Forbidden' })
      return work()
    }
    await round(forbidden)
    await round(forbidden)
    assert.equal(synced(forbidden)?.reason, 'SecretsForbidden')
    assert.match(synced(forbidden)?.message ?? '', /upgrade the chart/)
  })
})

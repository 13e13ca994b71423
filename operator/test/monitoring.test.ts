import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowClusterSpec } from '../src/api/v1alpha1/truenow-cluster.ts'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { MONITORING_RESOURCES } from '../src/kubernetes/resources.ts'
import { clusterSpec, createScene, DEMO, RUNBOOKS_URL, type Scene } from './scene.ts'

type Monitoring = NonNullable<TrueNowClusterSpec['monitoring']>
const monitoring = (more: Partial<Monitoring> = {}): Monitoring => ({
  serviceMonitor: true,
  prometheusRule: true,
  dashboards: true,
  freshnessSeconds: 60,
  alertDelayPercent: 100,
  ...more,
})
const PROMETHEUS_OPERATOR = 'monitoring.coreos.com/v1'
const ALL = [
  'ServiceMonitor demo-monitoring',
  'PrometheusRule demo-monitoring',
  'ConfigMap demo-dashboard-overview',
  'ConfigMap demo-dashboard-hot-tier',
  'ConfigMap demo-dashboard-data-path',
]

const kinds = MONITORING_RESOURCES.map(({ kind }) => kind)
const objectsOf = ({ kubernetes }: Scene) =>
  kinds.flatMap((kind) => kubernetes.list(kind)).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
const monitored = (scene: Scene) =>
  scene.cluster()?.status?.conditions?.find(({ type }) => type === 'Monitored')
const install = ({ kubernetes }: Scene) =>
  kubernetes.served.set(PROMETHEUS_OPERATOR, ['servicemonitors', 'prometheusrules', 'podmonitors'])
const ask = (scene: Scene, wish: Monitoring | undefined) =>
  scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
    const { monitoring: _, ...spec } = draft.spec as Record<string, unknown>
    Object.assign(draft, { spec: { ...spec, ...(wish === undefined ? {} : { monitoring: wish }) } })
  })

async function scene(wish?: Monitoring, installed = true) {
  const made = createScene()
  if (installed) install(made)
  made.createCluster(clusterSpec(wish === undefined ? {} : { monitoring: wish }))
  made.createTable()
  const operator = made.operator()
  await operator.settle()
  return { made, operator }
}

test('monitoring: a cluster that does not ask has none, and nothing is asked of the API server for it', async () => {
  const { made } = await scene()
  assert.deepEqual([objectsOf(made), monitored(made)], [[], undefined])
  const asked = made.kubernetes.calls.filter(({ kind }) => [...kinds, PROMETHEUS_OPERATOR].includes(kind))
  assert.deepEqual(asked, [])
})

test('monitoring: everything asked for is made, owned and found by label, and the cluster is Ready all the same', async () => {
  const labels = { release: 'prometheus', 'truenow.io/cluster': 'other', grafana_dashboard: 'yes' }
  const { made, operator } = await scene(monitoring({ labels }))
  assert.deepEqual(objectsOf(made), ALL)
  assert.equal(`${monitored(made)?.status} ${monitored(made)?.reason}`, 'True AsSpecified')
  assert.equal(made.cluster()?.status?.phase, 'Ready')
  assert.deepEqual(operator.errors, [])
  for (const kind of kinds) {
    for (const { metadata } of made.kubernetes.list(kind)) {
      assert.deepEqual(
        metadata.ownerReferences?.map(({ uid }) => uid),
        [made.cluster()?.metadata.uid],
      )
      const { release, 'truenow.io/cluster': cluster, grafana_dashboard: grafana } = metadata.labels ?? {}
      assert.deepEqual([release, cluster], ['prometheus', 'demo'], 'theirs is added, ours stays')
      assert.equal(grafana, 'yes')
    }
  }
})

test('monitoring: at rest it costs no write and no list', async () => {
  const { made, operator } = await scene(monitoring())
  const calls = () => made.kubernetes.calls.filter(({ verb }) => verb !== 'served').length
  const before = calls()
  for (let pass = 0; pass < 20; pass++) {
    made.advance(10_000)
    operator.addAll()
    await operator.settle()
  }
  assert.equal(calls(), before)
})

test('monitoring: it changes no pod template, Service or policy', async () => {
  const { made, operator } = await scene()
  const before = made.children()
  ask(made, monitoring())
  await operator.settle()
  assert.equal(objectsOf(made).length, ALL.length)
  assert.deepEqual(made.children(), before)
})

test('monitoring: any wish after any other leaves exactly what the last one asks for', async () => {
  const wish = fc.option(
    fc
      .record({ serviceMonitor: fc.boolean(), prometheusRule: fc.boolean(), dashboards: fc.boolean() })
      .map((more) => monitoring(more)),
    { nil: undefined },
  )
  const expected = (last: Monitoring | undefined) =>
    ALL.filter((name) => {
      if (name.startsWith('ServiceMonitor')) return last?.serviceMonitor === true
      return name.startsWith('PrometheusRule') ? last?.prometheusRule === true : last?.dashboards === true
    })
  const law = async (wishes: readonly (Monitoring | undefined)[], restarts: boolean) => {
    const { made, operator } = await scene()
    for (const one of wishes) {
      ask(made, one)
      // A new process must look after what an earlier one made, also when nothing is asked for any more.
      await (restarts ? made.operator() : operator).settle()
      assert.deepEqual(objectsOf(made), expected(one))
      assert.equal(monitored(made)?.status, expected(one).length > 0 ? 'True' : undefined)
    }
  }
  await fc.assert(fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 4 }), fc.boolean(), law), {
    numRuns: 25,
  })
})

test('monitoring: what was edited or deleted by hand is put back, with an Event', async () => {
  const { made, operator } = await scene(monitoring())
  const before = kinds.flatMap((kind) => made.kubernetes.list(kind)).map(({ spec, data }) => ({ spec, data }))
  made.kubernetes.edit('PrometheusRule', { ...DEMO, name: 'demo-monitoring' }, (draft) => {
    Object.assign(draft, { spec: { groups: [] } })
  })
  made.kubernetes.delete('ServiceMonitor', { ...DEMO, name: 'demo-monitoring' })
  made.kubernetes.edit('ConfigMap', { ...DEMO, name: 'demo-dashboard-hot-tier' }, (draft) => {
    Object.assign(draft, { data: { 'other.json': '{}' } })
  })
  await operator.settle()
  const after = kinds.flatMap((kind) => made.kubernetes.list(kind))
  const byName = after.toSorted(
    (a, b) => ALL.indexOf(`${a.kind} ${a.metadata.name}`) - ALL.indexOf(`${b.kind} ${b.metadata.name}`),
  )
  for (const [index, { spec, data }] of byName.entries()) {
    assert.deepEqual(spec, before[index]?.spec)
    assert.deepEqual({ ...(data as object), ...(before[index]?.data as object) }, { ...(data as object) })
  }
  const told = made.events().filter(({ reason }) => reason === 'ChildPutBack')
  assert.equal(told.length, 3)
})

test('monitoring: without the Prometheus Operator it says so and what to do, keeps still, and goes on once it is installed', async () => {
  const { made, operator } = await scene(monitoring(), false)
  assert.deepEqual(objectsOf(made), ALL.slice(2), 'dashboards need it not')
  const told = monitored(made)
  assert.deepEqual([told?.status, told?.reason], ['False', 'PrometheusOperatorMissing'])
  assert.match(told?.message ?? '', /ServiceMonitor and no PrometheusRule: install the CRDs/)
  assert.ok(made.events().some(({ reason }) => reason === 'PrometheusOperatorMissing'))
  assert.equal(made.cluster()?.status?.phase, 'Ready', 'it is not needed to run')
  const writes = made.kubernetes.writes()
  made.advance(10_000)
  await operator.settle()
  assert.equal(made.kubernetes.writes(), writes)
  install(made)
  made.advance(60_000)
  await operator.settle()
  assert.deepEqual(objectsOf(made), ALL)
  assert.equal(monitored(made)?.status, 'True')
})

test('monitoring: an object of that name that is another’s is not taken over', async () => {
  const made = createScene()
  install(made)
  const metadata = { ...DEMO, name: 'demo-monitoring' }
  const theirs = {
    apiVersion: PROMETHEUS_OPERATOR,
    kind: 'ServiceMonitor',
    metadata,
    spec: { endpoints: [] },
  }
  made.kubernetes.create(theirs)
  made.createCluster(clusterSpec({ monitoring: monitoring() }))
  await made.operator().settle()
  assert.deepEqual(made.kubernetes.find('ServiceMonitor', metadata)?.spec, { endpoints: [] })
  assert.deepEqual([monitored(made)?.status, monitored(made)?.reason], ['False', 'NameTaken'])
})

test('monitoring: a refusal is told by Monitored alone, and the cluster goes on', async () => {
  const made = createScene()
  install(made)
  made.kubernetes.hooks.around = (call, work) => {
    if (call.kind === 'ConfigMap' && call.verb === 'apply')
      throw new KubernetesError('configmaps is forbidden', { status: 403, reason: 'Forbidden' })
    return work()
  }
  made.createCluster(clusterSpec({ monitoring: monitoring() }))
  made.createTable()
  const operator = made.operator()
  await operator.settle()
  assert.deepEqual([monitored(made)?.status, monitored(made)?.reason], ['False', 'StepFailed'])
  assert.match(monitored(made)?.message ?? '', /configmaps is forbidden/)
  assert.equal(made.cluster()?.status?.phase, 'Ready')
  assert.deepEqual(operator.errors, [])
})

test('monitoring: the knobs of the spec are in the rules, and every alert leads to its runbook', async () => {
  const { made } = await scene(monitoring({ freshnessSeconds: 7, alertDelayPercent: 1 }))
  const rule = made.kubernetes.find('PrometheusRule', { ...DEMO, name: 'demo-monitoring' })
  assert.ok(rule !== undefined)
  const { groups } = rule.spec as {
    groups: { rules: { alert: string; expr: string; for: string; annotations: Record<string, string> }[] }[]
  }
  const rules = groups.flatMap((group) => group.rules)
  assert.match(rules.find(({ alert }) => alert === 'TrueNowTableStale')?.expr ?? '', /> 7$/)
  for (const { alert, for: delay, annotations, expr } of rules) {
    assert.ok(Number.parseInt(delay, 10) <= 15, `${alert} waits ${delay}`)
    assert.equal(annotations.runbook_url, `${RUNBOOKS_URL}/${alert}.md`)
    assert.match(expr, /namespace="apps", truenow_cluster="demo"/)
  }
})

test('monitoring: a dashboard is stable JSON under a name of its own, every panel with unit, description and data source', async () => {
  const { made } = await scene(monitoring())
  const uids = made.kubernetes.list('ConfigMap').map(({ data }) => {
    const [[file, text]] = Object.entries(data as Record<string, string>) as [[string, string]]
    assert.match(file, /^truenow-apps-demo-[a-z-]+\.json$/)
    const { uid, panels, templating } = JSON.parse(text) as {
      uid: string
      panels: {
        type: string
        description?: string
        datasource?: { uid: string }
        fieldConfig?: { defaults: { unit: string } }
      }[]
      templating: { list: { name: string }[] }
    }
    assert.deepEqual(
      templating.list.map(({ name }) => name),
      ['datasource'],
    )
    for (const { type, description, datasource, fieldConfig } of panels.filter((one) => one.type !== 'row')) {
      assert.ok(['timeseries', 'stat'].includes(type))
      assert.ok((description ?? '').length > 20 && (fieldConfig?.defaults.unit ?? '') !== '')
      assert.equal(datasource?.uid, `$\{datasource}`)
    }
    return uid
  })
  assert.equal(new Set(uids).size, 3)
})

test('monitoring: while the cluster is paused nothing of it changes', async () => {
  const { made, operator } = await scene(monitoring())
  made.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: true }))
  ask(made, undefined)
  await operator.settle()
  assert.deepEqual(objectsOf(made), ALL)
  made.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: false }))
  await operator.settle()
  assert.deepEqual(objectsOf(made), [])
})

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkout } from '@truenow/chassis/testing/server-process.ts'
import { prometheusPrograms } from '@truenow/chassis/testing/start-prometheus.ts'
import { parseAllDocuments } from 'yaml'
import { commandLineTools } from '../../e2e/cluster/command-line-tools.ts'
import { operatorAlerts } from '../src/monitoring/operator-alerts.ts'
import { ruleGroups } from '../src/monitoring/rule-groups.ts'
import { selectionOf } from '../src/monitoring/selection.ts'

/*
 * What the chart brings to watch the operator itself, rendered by the real helm: the templates of three languages lie in one file.
 */
type Rendered = Readonly<{
  kind: string
  metadata: { name: string; namespace: string; labels: Record<string, string> }
  spec: Record<string, unknown>
  data: Record<string, string>
}>
const helm = join(commandLineTools(checkout), 'helm')

function render(...set: readonly string[]): Rendered[] {
  const settings = set.flatMap((one) => ['--set', one])
  const args = ['template', 'blue', join(checkout, 'charts/truenow'), '--namespace', 'ops', ...settings]
  const { status, stdout, stderr } = spawnSync(helm, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Rendered | null) ?? [])
}
const MONITORING = ['ServiceMonitor', 'PrometheusRule', 'ConfigMap']
const kindsOf = (...set: readonly string[]) =>
  render(...set)
    .map(({ kind }) => kind)
    .filter((kind) => MONITORING.includes(kind))

test('chart: nothing that watches the operator unless asked for, and each under its own switch', () => {
  assert.deepEqual(kindsOf(), [])
  assert.deepEqual(kindsOf('monitoring.serviceMonitor=true'), ['ServiceMonitor'])
  assert.deepEqual(kindsOf('monitoring.prometheusRule=true'), ['PrometheusRule'])
  assert.deepEqual(kindsOf('monitoring.dashboards=true'), ['ConfigMap'])
})

test('chart: the rules are the operator’s own, for this release, and promtool reads them', async () => {
  const rendered = render(
    'monitoring.prometheusRule=true',
    'monitoring.runbooksUrl=https://runbooks.example/',
    'monitoring.labels.release=prometheus',
  )
  const rule = rendered.find(({ kind }) => kind === 'PrometheusRule')
  const groups = ruleGroups(operatorAlerts, {
    selection: selectionOf({ namespace: 'ops', service: 'blue-truenow-operator' }),
    thresholds: { freshnessSecondsMax: 60, slotHeatMax: 0.7 },
    delayPercent: 100,
    runbooksUrl: 'https://runbooks.example',
  })
  assert.deepEqual(rule?.spec, { groups })
  assert.equal(rule?.metadata.labels.release, 'prometheus')
  const directory = mkdtempSync(join(tmpdir(), 'truenow-chart-'))
  try {
    writeFileSync(join(directory, 'rules.yml'), JSON.stringify(rule?.spec))
    const promtool = join(await prometheusPrograms(), 'promtool')
    const { status, stderr } = spawnSync(promtool, ['check', 'rules', join(directory, 'rules.yml')])
    assert.equal(status, 0, String(stderr))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('chart: the ServiceMonitor finds the operator’s Service by label and port', () => {
  const rendered = render('monitoring.serviceMonitor=true')
  const monitor = rendered.find(({ kind }) => kind === 'ServiceMonitor')
  assert.ok(monitor !== undefined)
  const { selector, endpoints } = monitor.spec as {
    selector: { matchLabels: Record<string, string> }
    endpoints: { port: string; path: string }[]
  }
  const services = rendered.filter(
    ({ kind, metadata }) =>
      kind === 'Service' &&
      Object.entries(selector.matchLabels).every(([key, value]) => metadata.labels[key] === value),
  )
  assert.deepEqual(
    services.map(({ metadata }) => metadata.name),
    ['blue-truenow-operator'],
  )
  const ports = services[0]?.spec.ports as { name: string }[]
  assert.ok(ports.some(({ name }) => name === endpoints[0]?.port))
})

test('chart: the dashboard is JSON with Grafana’s own words intact', () => {
  const [map] = render('monitoring.dashboards=true', 'monitoring.labels.grafana_dashboard=yes').filter(
    ({ kind }) => kind === 'ConfigMap',
  )
  assert.equal(map?.metadata.labels.grafana_dashboard, 'yes')
  const [[file, text]] = Object.entries(map?.data ?? {}) as [[string, string]]
  assert.equal(file, 'truenow-ops-operator.json')
  const { uid, panels } = JSON.parse(text) as {
    uid: string
    panels: { title: string; targets?: { expr: string; legendFormat: string }[] }[]
  }
  assert.match(uid, /^truenow-[0-9a-f]{16}$/)
  const targets = panels.flatMap((panel) => panel.targets ?? [])
  assert.ok(targets.some(({ legendFormat }) => legendFormat === '{{kind}} {{outcome}}'))
  for (const { expr } of targets) assert.match(expr, /namespace="ops", service="blue-truenow-operator"/)
})

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { metricPrefix } from '@truenow/chassis/metric-prefix.ts'
import { ROLE_PORTS } from '@truenow/contracts/ports.ts'
import { clusterDashboards } from '../resources/dashboard-config-maps.ts'
import { clusterAlerts } from './cluster-alerts.ts'
import { operatorDashboard } from './dashboards/operator-dashboard.ts'
import { operatorAlerts } from './operator-alerts.ts'
import { clusterSelection, selectionOf } from './selection.ts'

/*
 * What alerts and dashboards name is held to docs/metrics.md, which is written from the registries of all roles: a metric that is
 * renamed there makes its alerts fail here, instead of falling silent.
 */
const root = fileURLToPath(new URL('../../../', import.meta.url))
/** What Prometheus itself gives every target, and what the ServiceMonitors add. */
const TARGET_LABELS = ['namespace', 'service', 'pod', 'job', 'instance', 'truenow_cluster']

/** Labels by metric, with the three series of each histogram, for every role. */
function documentedMetrics(): ReadonlyMap<string, readonly string[]> {
  const metrics = new Map<string, readonly string[]>([['up', []]])
  const row = /^\| `([a-z_<>]+)` \| ([a-z]+)[^|]*\| ([^|]*)\|/gm
  for (const [, name = '', kind, labels = ''] of readFileSync(`${root}docs/metrics.md`, 'utf8').matchAll(
    row,
  )) {
    const named = [...labels.matchAll(/`([a-z_]+)`/g)].map((match) => match[1] ?? '')
    const names = name.includes('<role>')
      ? Object.keys(ROLE_PORTS).map((role) => name.replace('truenow_<role>', metricPrefix(role)))
      : [name]
    for (const one of names) {
      metrics.set(one, named)
      if (kind !== 'histogram') continue
      for (const part of ['sum', 'count']) metrics.set(`${one}_${part}`, named)
      metrics.set(`${one}_bucket`, [...named, 'le'])
    }
  }
  return metrics
}
const metrics = documentedMetrics()

/** What is wrong with an expression: unknown metrics, and labels that no metric in it has. */
function mistakes(expression: string): string[] {
  const wrong: string[] = []
  const all = new Set(TARGET_LABELS)
  const series = [...expression.matchAll(/([a-z_]+)\{([^}]*)\}/g)]
  if (series.length === 0) wrong.push('no series')
  for (const [, metric = '', matchers = ''] of series) {
    const labels = metrics.get(metric)
    if (labels === undefined) wrong.push(`metric ${metric}`)
    // Prometheus renames a label that its target has too.
    const own = (labels ?? []).map((label) => (TARGET_LABELS.includes(label) ? `exported_${label}` : label))
    for (const label of own) all.add(label)
    for (const [, label = ''] of matchers.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g))
      if (!own.includes(label) && !TARGET_LABELS.includes(label)) wrong.push(`label ${label} of ${metric}`)
  }
  const known = [...all, ...[...expression.matchAll(/label_replace\(.*?"([a-z_]+)"/g)].map((one) => one[1])]
  for (const [, list = ''] of expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
    for (const label of list.split(',').map((one) => one.trim()))
      if (!known.includes(label)) wrong.push(`label ${label} in by or on`)
  return wrong
}

const ofCluster = clusterSelection({ namespace: 'apps', name: 'demo' })
const ofOperator = selectionOf({ namespace: 'truenow', service: 'truenow-operator' })
const thresholds = { freshnessSecondsMax: 60, slotHeatMax: 0.7 }
const expressions: ReadonlyArray<readonly [what: string, expression: string]> = [
  ...Object.entries(clusterAlerts).map(
    ([name, { expression }]) => [name, expression(ofCluster, thresholds)] as const,
  ),
  ...Object.entries(operatorAlerts).map(
    ([name, { expression }]) => [`${name} (operator)`, expression(ofOperator)] as const,
  ),
  ...[...clusterDashboards.map((build) => build(ofCluster)), operatorDashboard(ofOperator)].flatMap(
    ({ name, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap(({ title, queries }) =>
          queries.map(({ expression }) => [`${name}: ${title}`, expression] as const),
        ),
      ),
  ),
]

test('monitoring, canary: a wrong metric, a wrong matcher and a wrong grouping are seen', () => {
  assert.ok(metrics.size > 100, `only ${metrics.size} metrics were read from docs/metrics.md`)
  assert.deepEqual(mistakes('sum(truenow_gateway_gone_total{namespace="a"})'), [
    'metric truenow_gateway_gone_total',
  ])
  assert.deepEqual(mistakes('truenow_hot_tier_slots{stat="serving"}'), [
    'label stat of truenow_hot_tier_slots',
  ])
  assert.deepEqual(mistakes('sum by (namespace, reason) (truenow_hot_tier_slots{state="serving"})'), [
    'label reason in by or on',
  ])
  assert.deepEqual(mistakes('1 + 1'), ['no series'])
})

for (const [what, expression] of expressions) {
  test(`monitoring names only what there is: ${what}`, () =>
    assert.deepEqual(mistakes(expression), [], expression))
}

test('monitoring: every alert has a runbook with all its parts, and every runbook an alert', () => {
  const folder = `${root}docs/runbooks/`
  const names = new Set([...Object.keys(clusterAlerts), ...Object.keys(operatorAlerts)])
  const pages = readdirSync(folder).filter((file) => file !== 'README.md')
  assert.deepEqual(new Set(pages), new Set([...names].map((name) => `${name}.md`)))
  const parts = ['What it means', 'What users see', 'How to look', 'How to mend it', 'How to know it is over']
  for (const page of pages) {
    const text = readFileSync(folder + page, 'utf8')
    assert.match(text, new RegExp(`^# ${page.slice(0, -3)}\\n`))
    assert.deepEqual(
      [...text.matchAll(/^## (.*)$/gm)].map((match) => match[1]),
      parts,
      page,
    )
    const named = [...text.matchAll(/\btruenow_[a-z_]+/g)].map((match) => match[0])
    const unknown = named.filter((name) => !metrics.has(name) && !TARGET_LABELS.includes(name))
    assert.deepEqual(unknown, [], page)
  }
})

test('monitoring: no alert stands alone with a dash of text: each says what is, with a value or a name in it', () => {
  for (const [name, { summary, description }] of Object.entries({ ...clusterAlerts, ...operatorAlerts })) {
    assert.ok(summary.length > 10 && summary.length < 80, `${name}: ${summary}`)
    assert.ok(description.length > 40, `${name}: ${description}`)
    assert.ok(!description.endsWith('..') && description.endsWith('.'), name)
  }
})

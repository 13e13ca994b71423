import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { prometheusPrograms } from '@truenow/chassis/testing/start-prometheus.ts'
import type { Alert } from '../src/monitoring/alert.ts'
import { clusterAlerts } from '../src/monitoring/cluster-alerts.ts'
import { operatorAlerts } from '../src/monitoring/operator-alerts.ts'
import { ruleGroups } from '../src/monitoring/rule-groups.ts'
import { selectionOf } from '../src/monitoring/selection.ts'
import { type AlertCase, clusterAlertCases, INTERVAL_SECONDS, operatorAlertCases } from './alert-cases.ts'

/*
 * Every alert by the real promtool: that its rule can be read, that it fires on what it is for, no sooner than it says and with
 * these very words, and that it stays quiet on what merely looks alike.
 */
const RUNBOOKS_URL = 'https://runbooks.example'
const WELL_UNTIL_SECONDS = 1_500
type Table = Readonly<{
  alerts: Readonly<Record<string, Alert>>
  cases: Readonly<Record<string, AlertCase>>
  scope: Readonly<Record<string, string>>
}>
const TABLES: Readonly<Record<string, Table>> = {
  cluster: {
    alerts: clusterAlerts,
    cases: clusterAlertCases,
    scope: { namespace: 'apps', truenow_cluster: 'demo' },
  },
  operator: {
    alerts: operatorAlerts,
    cases: operatorAlertCases,
    scope: { namespace: 'truenow', service: 'truenow-operator' },
  },
}

let programs = ''
const directory = mkdtempSync(join(tmpdir(), 'truenow-promtool-'))
before(async () => {
  programs = await prometheusPrograms()
})
after(() => rmSync(directory, { recursive: true, force: true }))

const promtool = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(join(programs, 'promtool'), args, { encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}
/** JSON is YAML, which is all that promtool reads. */
function write(name: string, value: unknown): string {
  const file = join(directory, `${name}.yml`)
  writeFileSync(file, JSON.stringify(value))
  return file
}
const rulesOf = ({ alerts, scope }: Table, name: string) =>
  write(`${name}-rules`, {
    groups: ruleGroups(alerts, {
      selection: selectionOf(scope),
      thresholds: { freshnessSecondsMax: 60, slotHeatMax: 0.7 },
      delayPercent: 100,
      runbooksUrl: RUNBOOKS_URL,
    }),
  })
const inputOf = (series: AlertCase['well'], scope: Table['scope']) =>
  series.map(([metric, labels, values]) => {
    const all = Object.entries({ ...scope, ...labels }).map(([name, value]) => `${name}="${value}"`)
    return { series: `${metric}{${all.join(',')}}`, values }
  })

/** What promtool is to check of one alert: it fires in each sickness, not before its time, and never when well. */
function testsOf(name: string, alert: Alert, { sick, well }: AlertCase, scope: Table['scope']) {
  const quiet = (seconds: number) => ({ eval_time: `${seconds}s`, alertname: name, exp_alerts: [] })
  const interval = `${INTERVAL_SECONDS}s`
  const fires = sick.map(({ series, firesAtSeconds, labels, summary, description }) => {
    const runbook_url = `${RUNBOOKS_URL}/${name}.md`
    const exp_labels = { severity: alert.severity, ...scope, ...labels }
    const exp_alerts = [{ exp_labels, exp_annotations: { summary, description, runbook_url } }]
    const before = [firesAtSeconds - INTERVAL_SECONDS].filter((seconds) => seconds >= 0).map(quiet)
    const alert_rule_test = [...before, { eval_time: `${firesAtSeconds}s`, alertname: name, exp_alerts }]
    return { interval, input_series: inputOf(series, scope), alert_rule_test }
  })
  const times = Array.from({ length: WELL_UNTIL_SECONDS / 60 }, (_, minute) => quiet(60 * (minute + 1)))
  return [...fires, { interval, input_series: inputOf(well, scope), alert_rule_test: times }]
}
const fileOf = (name: string, rules: string, tests: readonly unknown[]) =>
  write(name, { rule_files: [rules], evaluation_interval: `${INTERVAL_SECONDS}s`, tests })

for (const [what, table] of Object.entries(TABLES)) {
  test(`alerts of a ${what}: promtool reads every rule`, () => {
    const { status, said } = promtool('check', 'rules', rulesOf(table, what))
    assert.equal(status, 0, said)
    assert.match(said, new RegExp(`SUCCESS: ${Object.keys(table.alerts).length} rules found`))
  })

  for (const [name, alert] of Object.entries(table.alerts)) {
    test(`${name} of a ${what}: fires when it should, when it should, and only then`, () => {
      const one = table.cases[name]
      assert.ok(one !== undefined && one.sick.length > 0 && one.well.length > 0)
      const rules = rulesOf(table, what)
      const { status, said } = promtool(
        'test',
        'rules',
        fileOf(`${what}-${name}`, rules, testsOf(name, alert, one, table.scope)),
      )
      assert.equal(status, 0, said)
    })
  }
}

test('alerts, canary: promtool refuses what does not fire, and what fires when well', () => {
  const table = TABLES.cluster
  assert.ok(table !== undefined)
  const [name, one] = ['TrueNowKafkaAway', clusterAlertCases.TrueNowKafkaAway] as const
  const rules = rulesOf(table, 'cluster')
  const wrong: ReadonlyArray<[what: string, swapped: AlertCase]> = [
    ['never-fires', { sick: one.sick.map((sick) => ({ ...sick, series: one.well })), well: one.well }],
    ['fires-when-well', { sick: one.sick, well: one.sick[0]?.series.map(([m, l]) => [m, l, '0x100']) ?? [] }],
  ]
  for (const [what, swapped] of wrong) {
    const tests = testsOf(name, clusterAlerts[name], swapped, table.scope)
    const { status, said } = promtool('test', 'rules', fileOf(what, rules, tests))
    assert.notEqual(status, 0, `${what}: ${said}`)
    assert.match(said, /FAILED/)
  }
})

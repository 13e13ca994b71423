import { startPrometheus } from '@truenow/chassis/testing/start-prometheus.ts'
import type { TrueNowCluster } from '@truenow/operator/api/v1alpha1/truenow-cluster.ts'
import { operatorAlerts } from '@truenow/operator/monitoring/operator-alerts.ts'
import { type RuleGroup, ruleGroups } from '@truenow/operator/monitoring/rule-groups.ts'
import { selectionOf } from '@truenow/operator/monitoring/selection.ts'
import { prometheusRule } from '@truenow/operator/resources/prometheus-rule.ts'
import { serviceMonitor } from '@truenow/operator/resources/service-monitor.ts'

export type Target = Readonly<{ role: string; pod: string; http: string }>
type Sample = Readonly<{ metric: Readonly<Record<string, string>>; value: readonly [number, string] }>
type Labels = Readonly<Record<string, string>>

export const OPERATOR_LABELS = { namespace: 'truenow', service: 'truenow-operator' }
const RUNBOOKS_URL = 'https://runbooks.example'

/** A real Prometheus with the rules of the cluster and of the operator, over targets labelled as the Prometheus Operator would. */
export async function startWatching(cluster: TrueNowCluster, targets: readonly Target[], operator: Target) {
  const { namespace, name } = cluster.metadata
  const { endpoints } = serviceMonitor(cluster).spec as {
    endpoints: { path: string; relabelings: { targetLabel: string; replacement: string }[] }[]
  }
  const [endpoint] = endpoints
  const added = Object.fromEntries(
    (endpoint?.relabelings ?? []).map(({ targetLabel, replacement }) => [targetLabel, replacement]),
  )
  const labelled = ({ http, pod, role }: Target, labels: Labels) => ({
    targets: [http],
    labels: { job: role, pod, ...labels },
  })
  const static_configs = [
    ...targets.map((target) => labelled(target, { namespace, service: `${name}-${target.role}`, ...added })),
    labelled(operator, OPERATOR_LABELS),
  ]
  const { groups } = prometheusRule(cluster, RUNBOOKS_URL).spec as { groups: RuleGroup[] }
  const operatorGroups = ruleGroups(operatorAlerts, {
    selection: selectionOf(OPERATOR_LABELS),
    thresholds: { freshnessSecondsMax: cluster.spec.monitoring?.freshnessSeconds ?? 60, slotHeatMax: 0.7 },
    delayPercent: cluster.spec.monitoring?.alertDelayPercent ?? 100,
    runbooksUrl: RUNBOOKS_URL,
  }).map((group) => ({ ...group, name: `${group.name}-operator` }))
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
    scrape_configs: [{ job_name: 'truenow', metrics_path: endpoint?.path, static_configs }],
  }
  const server = await startPrometheus(config, { groups: [...groups, ...operatorGroups] })
  const ask = async <Data>(path: string): Promise<Data> => {
    const response = await fetch(`${server.url}/api/v1/${path}`)
    const { status, data, error } = (await response.json()) as { status: string; data: Data; error?: string }
    if (status !== 'success') throw new Error(`Prometheus: ${error}: ${decodeURIComponent(path)}`)
    return data
  }
  return {
    stop: server.stop,
    query: async (expression: string): Promise<readonly Sample[]> =>
      (await ask<{ result: Sample[] }>(`query?query=${encodeURIComponent(expression)}`)).result,
    /** Alerts that fire now, by their labels. */
    firing: async (): Promise<readonly Labels[]> => {
      const { alerts } = await ask<{ alerts: { state: string; labels: Labels }[] }>('alerts')
      return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels)
    },
    rules: async () =>
      (
        await ask<{
          groups: { rules: { name: string; query: string; health: string; lastError?: string }[] }[]
        }>('rules')
      ).groups.flatMap((group) => group.rules),
  }
}

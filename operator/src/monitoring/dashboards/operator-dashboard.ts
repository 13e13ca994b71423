import type { BuildDashboard, Panel } from '../dashboard.ts'
import { quantile } from '../quantile.ts'
import type { Selection } from '../selection.ts'

/** The operator: does one lead, does it get through its work, and does it hear what happens. */
export const operatorDashboard: BuildDashboard = (selection) => ({
  name: 'operator',
  title: 'operator',
  rows: [
    { title: 'Work', panels: work(selection) },
    { title: 'API server', panels: server(selection) },
  ],
})

const work = (selection: Selection): Panel[] => {
  const { series, by } = selection
  return [
    {
      title: 'Leaders',
      description: 'Processes that hold the Lease: 1. Runbook: TrueNowOperatorNoLeader.',
      unit: 'short',
      kind: 'stat',
      queries: [{ expression: `sum ${by()} (${series('truenow_operator_leading')})`, legend: 'leaders' }],
    },
    {
      title: 'Passes a second by outcome',
      description:
        'conflict: its copy was old, and the pass is repeated. failed: see the log. Runbook: TrueNowOperatorPassesFailing.',
      unit: 'ops',
      queries: [
        {
          expression: `sum ${by('kind', 'outcome')} (rate(${series('truenow_operator_passes_total')}[$__rate_interval]))`,
          legend: '{{kind}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Time of a pass, p99',
      description: 'One pass over one object, calls to the API server and to control planes included.',
      unit: 's',
      queries: [
        {
          expression: quantile(selection, 0.99, 'truenow_operator_pass_seconds', ['kind']),
          legend: '{{kind}}',
        },
      ],
    },
    {
      title: 'Keys that wait',
      description: 'Objects that are due and wait for their turn; near 0 is good.',
      unit: 'short',
      queries: [
        { expression: `sum ${by('queue')} (${series('truenow_operator_queue_depth')})`, legend: '{{queue}}' },
      ],
    },
    {
      title: 'Objects known',
      description: 'Clusters and tables in the namespaces that it watches.',
      unit: 'short',
      queries: [
        { expression: `max ${by('kind')} (${series('truenow_operator_objects')})`, legend: '{{kind}}' },
      ],
    },
  ]
}

const server = (selection: Selection): Panel[] => {
  const { series, by } = selection
  return [
    {
      title: 'Requests a second',
      description: 'To the API server by verb and status; 0 is no answer. Near nothing while all rests.',
      unit: 'reqps',
      queries: [
        {
          expression: `sum ${by('verb', 'code')} (rate(${series('truenow_operator_kubernetes_requests_total')}[$__rate_interval]))`,
          legend: '{{verb}} {{code}}',
        },
      ],
    },
    {
      title: 'Silence of watches',
      description: 'Time since each kind last told anything. Runbook: TrueNowOperatorWatchSilent.',
      unit: 's',
      badFrom: 900,
      queries: [
        {
          expression: `max ${by('kind')} (${series('truenow_operator_reflector_age_seconds')})`,
          legend: '{{kind}}',
        },
      ],
    },
    {
      title: 'Memory',
      description: 'Resident memory by pod; its caches grow with the objects it watches.',
      unit: 'bytes',
      queries: [{ expression: series('process_resident_memory_bytes'), legend: '{{pod}}' }],
    },
  ]
}

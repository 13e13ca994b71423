import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { createKubernetesMetrics } from './kubernetes/kubernetes-metrics.ts'

/** Every metric of the operator. Labels take bounded sets only: kinds, outcomes, condition types. */
export const createOperatorMetrics = (registry: Registry) => ({
  kubernetes: createKubernetesMetrics(registry),
  passes: new Counter({
    name: 'truenow_operator_passes_total',
    help: 'Passes over one object by kind and outcome: done, failed, conflict (our copy was old).',
    labelNames: ['kind', 'outcome'] as const,
    registers: [registry],
  }),
  passSeconds: new Histogram({
    name: 'truenow_operator_pass_seconds',
    help: 'Time of one pass over one object.',
    labelNames: ['kind'] as const,
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30],
    registers: [registry],
  }),
  objects: new Gauge({
    name: 'truenow_operator_objects',
    help: 'Objects known, by kind.',
    labelNames: ['kind'] as const,
    registers: [registry],
  }),
  departed: new Gauge({
    name: 'truenow_operator_departed_objects',
    help: 'Deleted objects that are still to be let go by their control plane; at most DEPARTED_MAX.',
    registers: [registry],
  }),
})
export type OperatorMetrics = ReturnType<typeof createOperatorMetrics>

import { createAdmission } from '../src/admission.ts'
import { answerQuery } from '../src/answer-query.ts'
import { createQueryMetrics } from '../src/metrics.ts'
import { createSlotReader } from '../src/read-slots.ts'
import { createResultCache } from '../src/result-cache.ts'
import type { createCluster } from './cluster.ts'

/** Asks a cluster of fake shards without HTTP: everything of the role but its doors. */
export function askerOf({ ports, config, context }: ReturnType<typeof createCluster>) {
  const metrics = createQueryMetrics(context.registry)
  const reader = createSlotReader(ports, config, context.clock, metrics)
  const cache =
    ports.cache &&
    createResultCache(ports.cache, { kubernetesNamespace: 'test', cluster: 'test' }, config.QUERY_CACHE_TTL)
  const parts = {
    catalog: ports.catalog,
    clock: context.clock,
    admission: createAdmission(config.TRUENOW_QUERY_RUNNING_MAX, config.TRUENOW_QUERY_WAITING_MAX),
    readSlots: reader.read,
    cache,
    timeoutMs: config.TRUENOW_QUERY_TIMEOUT_MS,
  }
  return {
    ask: (body: unknown, signal = new AbortController().signal) => answerQuery(body, parts, signal),
    /** Results that were to be kept have been. */
    kept: async (): Promise<void> => cache?.settled(),
  }
}

import type { Condition } from './api/condition.ts'
import type { Table, TableStatus } from './api/v1alpha1/table.ts'
import type { Judgement } from './conditions/judgement.ts'
import { mergeConditions } from './conditions/merge-conditions.ts'
import { slotsWithinLimits } from './conditions/slots-within-limits.ts'
import { tableConditions } from './conditions/table-conditions.ts'
import { endTable } from './end-table.ts'
import { freshnessClass } from './freshness-class.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import { TABLES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { requeueAfter } from './requeue-after.ts'
import { rfc3339 } from './rfc3339.ts'
import { runSteps } from './run-steps.ts'
import type { Outcome } from './step.ts'
import { checkTableSpec } from './steps/check-table-spec.ts'
import { claimName } from './steps/claim-name.ts'
import { declareTable } from './steps/declare-table.ts'
import { findCluster } from './steps/find-cluster.ts'
import { keepFinalizer } from './steps/keep-finalizer.ts'
import { readTableFreshness } from './steps/read-table-freshness.ts'
import { readTableHeat } from './steps/read-table-heat.ts'
import type { TableFacts } from './table-facts.ts'
import { writeStatus } from './write-status.ts'

/** What is done for a Table, in order. */
const stepsOf = (context: OperatorContext) => [
  checkTableSpec,
  claimName(context),
  findCluster(context),
  keepFinalizer(context.kubernetes, TABLES),
  declareTable(context),
  readTableHeat(context),
  readTableFreshness(context),
]

/** One pass over one table. Answers when to look again. Errors: KubernetesError, and what a step threw; both are retried. */
export async function reconcileTable(
  context: OperatorContext,
  key: ObjectKey,
  restMs: number,
): Promise<{ afterMs: number } | undefined> {
  const table = context.tables.get(key)
  if (table === undefined) return undefined
  if (table.metadata.deletionTimestamp !== undefined) return endTable(context, table)
  const cluster = context.clusters.get({ namespace: key.namespace, name: table.spec.clusterRef.name })
  const holder = cluster?.status?.operator
  // Held by another operator: that one writes its status too.
  if (holder !== undefined && holder !== context.identity) return { afterMs: 60_000 }
  const outcome = await runSteps<Table, TableFacts>(table, stepsOf(context), {})
  const status = tableStatus(table, outcome, rfc3339(context.clock.nowUs()))
  await writeStatus(context, TABLES, table, status, outcome.facts.objectVersion)
  const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'
  return requeueAfter(outcome, ready, restMs)
}

/** The whole status of a Table after a pass. Pure. */
export function tableStatus(
  { metadata, spec, status = {} }: Table,
  outcome: Outcome<TableFacts>,
  now: string,
): TableStatus {
  const { facts } = outcome
  const judged = [
    ...tableConditions(outcome, spec.slots),
    ...onceHot(slotsWithinLimits(facts.hotSlots, spec.clusterRef.name), status.conditions),
  ]
  const [topic, version] = [facts.topic ?? status.topic, facts.version ?? status.version]
  return {
    observedGeneration: metadata.generation,
    // Unknown is not 0: what was last told stays, and the conditions say that nobody could tell.
    slotsReady:
      facts.slotsReady === undefined
        ? (status.slotsReady ?? `?/${spec.slots}`)
        : `${facts.slotsReady}/${spec.slots}`,
    ...(topic === undefined ? {} : { topic }),
    ...(version === undefined ? {} : { version }),
    freshness: freshnessClass(facts.freshnessUs),
    conditions: mergeConditions(status.conditions ?? [], judged, metadata.generation, now),
  }
}

/** Told from the first hot slot on; while nobody knows, what was told stays. */
function onceHot(found: Judgement, before: readonly Condition[] = []): readonly Judgement[] {
  const told = before.filter(({ type }) => type === found.type)
  if (found.status === 'Unknown') return told
  return found.status === 'False' || told.length > 0 ? [found] : []
}

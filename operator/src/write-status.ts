import { isDeepStrictEqual } from 'node:util'
import type { Condition } from './api/condition.ts'
import { isTrouble } from './conditions/is-trouble.ts'
import { transitions } from './conditions/merge-conditions.ts'
import type { Resource, Stored } from './kubernetes/kubernetes-port.ts'
import type { OperatorContext } from './operator-context.ts'

type Judged = Readonly<{ conditions?: readonly Condition[] }>

/**
 * Writes a status if it differs from the one last seen, and an Event for every condition whose status changed. The version
 * that was read is the precondition: told of an old copy, a status would take a claim back that was handed over meanwhile,
 * or speak of an object made anew under this name. Errors: KubernetesError, with reason Conflict then.
 */
export async function writeStatus<Status extends object>(
  { kubernetes, record }: Pick<OperatorContext, 'kubernetes' | 'record'>,
  resource: Resource,
  object: Stored & Readonly<{ status?: Status }>,
  status: Status,
  /** The object's version after a write of this very pass, which `object` does not show yet. */
  version = object.metadata.resourceVersion,
): Promise<void> {
  if (isDeepStrictEqual(plain(status), plain(object.status))) return
  const { name, namespace, uid } = object.metadata
  const { apiVersion, kind } = resource
  const metadata = { name, namespace, uid, ...(version === undefined ? {} : { resourceVersion: version }) }
  const body = { apiVersion, kind, metadata, status: plain(status) }
  await kubernetes.apply(resource, body, { force: true, subresource: 'status' })
  for (const change of transitions(conditionsOf(object.status), conditionsOf(status))) {
    await record(object, {
      type: change.status !== 'Unknown' && isTrouble(change) ? 'Warning' : 'Normal',
      reason: change.reason,
      action: `Judge${change.type}`,
      note: `${change.type} is ${change.status}: ${change.message}`,
    })
  }
}

/** A Rebalance has a state instead. */
const conditionsOf = (status: Judged | object | undefined): readonly Condition[] =>
  status !== undefined && 'conditions' in status ? (status.conditions ?? []) : []

/** As it goes over the wire: what is undefined is not there. */
const plain = (status: unknown): unknown =>
  status === undefined ? undefined : (JSON.parse(JSON.stringify(status)) as unknown)

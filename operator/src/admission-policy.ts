import type { Clock } from '@truenow/chassis/clock.ts'
import { POLICY_NAME } from './api/rbac.ts'
import { KubernetesError, type KubernetesPort, type Resource } from './kubernetes/kubernetes-port.ts'
import { POLICIES, POLICY_BINDINGS } from './kubernetes/resources.ts'

/** A policy that comes or goes is told of within this time; it guards without us, so nothing waits for it. */
const LOOK_MS = 600_000
/** After an API server that did not answer; one that refused is not asked sooner for that. */
const LOOK_AGAIN_MS = 60_000
const NOTHING_SEEN: PolicySeen = { state: 'Unobserved', unobserved: [] }

/**
 *   Installed    policy and binding are there
 *   Missing      one of them is not: what CEL in the CRDs cannot see is found by the loop alone
 *   Unobserved   this operator may not look at what is cluster-wide (Role only), or nobody answered yet
 */
export type PolicySeen = Readonly<{
  state: 'Installed' | 'Missing' | 'Unobserved'
  /** What could not be looked at, as `<plural>.<group>/<name>`. */
  unobserved: readonly string[]
}>
export type AdmissionPolicy = Readonly<{ look: () => Promise<PolicySeen> }>

/** Looks whether the ValidatingAdmissionPolicy of the chart is there: two requests every ten minutes, refused or not. */
export function createAdmissionPolicy(
  { get }: Pick<KubernetesPort, 'get'>,
  { monotonicMs }: Pick<Clock, 'monotonicMs'>,
): AdmissionPolicy {
  let seen = NOTHING_SEEN
  let dueMs = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined
  const lookAgain = async () => {
    dueMs = monotonicMs() + LOOK_MS
    try {
      seen = await lookAtBoth(get)
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error
      dueMs = monotonicMs() + LOOK_AGAIN_MS
    } finally {
      looking = undefined
    }
  }
  return {
    look: async () => {
      if (monotonicMs() >= dueMs) looking ??= lookAgain()
      await looking
      return seen
    },
  }
}

/** Errors: KubernetesError where nobody answered, or answered something else than a refusal. */
async function lookAtBoth(get: KubernetesPort['get']): Promise<PolicySeen> {
  const found = await Promise.all([POLICIES, POLICY_BINDINGS].map((resource) => isThere(get, resource)))
  const unobserved = found.filter((one) => typeof one === 'string')
  if (unobserved.length > 0) return { state: 'Unobserved', unobserved }
  return { state: found.every((one) => one === true) ? 'Installed' : 'Missing', unobserved }
}

/** Whether it is there, or its name where this operator may not look. */
async function isThere(get: KubernetesPort['get'], resource: Resource): Promise<boolean | string> {
  try {
    return (await get(resource, { namespace: '', name: POLICY_NAME })) !== undefined
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 403) throw error
    return `${resource.plural}.${resource.apiVersion.split('/')[0]}/${POLICY_NAME}`
  }
}

import { isDeepStrictEqual } from 'node:util'
import { RESTART_ANNOTATION } from '../api/names.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { PodRole } from '../resources/services.ts'
import { type HeldTemplate, imageOf, templateOf, withTemplate } from './held-template.ts'
import { templateInputs } from './template-inputs.ts'

/** Readers before writers: whoever reads a new format has it before anybody writes it. */
export const UPGRADE_ORDER: readonly PodRole[] = [
  'control-plane',
  'query',
  'hot-tier',
  'ingester',
  'watermark',
  'gateway',
]

/** How the workload of one role stands. */
export type StandingWorkload = Readonly<{
  /** As it was last released. `inputs`, those of the spec as it is now, are for a template of which nobody knows them. */
  held: (rendered: KubernetesObject, inputs: string) => HeldTemplate
  /** Every pod runs that template and is ready. */
  rolledOut: boolean
  anyReady: boolean
}>
export type ReleasedTemplates = Readonly<{
  children: readonly KubernetesObject[]
  /** Roles whose new image waits, in order, and the one that they wait for. */
  waiting: Readonly<{ roles: readonly PodRole[]; behind: PodRole }> | undefined
  /** Roles that this operator would make otherwise than they were released, though the spec says the same. */
  pendingRoles: readonly PodRole[]
}>

/**
 * Decides for each workload whether the template that was just rendered is released, or the former one stays:
 * - what the user asks for is released; what only a new operator would change waits until the user changes something, or
 *   `spec.upgradePolicy` is Always;
 * - a new image goes through the roles in UPGRADE_ORDER, each after the former ones are rolled out and healthy. A role
 *   without a single ready pod does not wait: it has nothing to lose, and the new image may be what mends it.
 * All else of a child is applied at once. Pure.
 */
export function releaseTemplates(
  cluster: TrueNowCluster,
  image: string,
  children: readonly KubernetesObject[],
  standing: (role: PodRole) => StandingWorkload | undefined,
): ReleasedTemplates {
  const released = new Map<string, KubernetesObject>()
  const waiting: PodRole[] = []
  const pendingRoles: PodRole[] = []
  let behind: PodRole | undefined
  for (const role of UPGRADE_ORDER) {
    const child = children.find((one) => isWorkloadOf(one, cluster, role))
    if (child === undefined) continue
    const stands = standing(role)
    const before = stands?.held(child, templateInputs(cluster, role, image, undefined))
    // Taking the annotation off again asks for nothing.
    const asked = cluster.metadata.annotations?.[RESTART_ANNOTATION] ?? restartOf(before?.template)
    const restart = role === 'hot-tier' ? asked : undefined
    const rendered = restart === undefined ? child : withRestart(child, restart)
    const fresh = {
      inputs: templateInputs(cluster, role, image, restart),
      template: plain(templateOf(rendered)),
    }
    const verdict = judge(cluster, before, fresh, behind !== undefined && stands?.anyReady === true)
    if (verdict === 'waits') waiting.push(role)
    if (verdict === 'pending') pendingRoles.push(role)
    const held = before === undefined || verdict === 'released' ? fresh : before
    released.set(child.metadata.name, withTemplate(rendered, held))
    const moving = before !== undefined && !isDeepStrictEqual(held.template, before.template)
    if (moving || stands?.rolledOut === false) behind ??= role
  }
  return {
    children: children.map((child) =>
      isWorkload(child) ? (released.get(child.metadata.name) ?? child) : child,
    ),
    waiting: behind === undefined || waiting.length === 0 ? undefined : { roles: waiting, behind },
    pendingRoles,
  }
}

function judge(
  { spec }: TrueNowCluster,
  before: HeldTemplate | undefined,
  fresh: HeldTemplate,
  mustWait: boolean,
): 'released' | 'pending' | 'waits' {
  if (before === undefined || isDeepStrictEqual(before.template, fresh.template)) return 'released'
  if (before.inputs === fresh.inputs && spec.upgradePolicy !== 'Always') return 'pending'
  return mustWait && imageOf(before.template) !== imageOf(fresh.template) ? 'waits' : 'released'
}

const isWorkload = ({ kind }: KubernetesObject): boolean => kind === 'Deployment' || kind === 'StatefulSet'
const isWorkloadOf = (child: KubernetesObject, { metadata }: TrueNowCluster, role: PodRole): boolean =>
  isWorkload(child) && child.metadata.name === `${metadata.name}-${role}`

/** As it is read back from the annotation. */
const plain = (template: unknown): unknown => JSON.parse(JSON.stringify(template)) as unknown

type Annotated = Readonly<{ metadata?: Readonly<{ annotations?: Readonly<Record<string, string>> }> }>

const restartOf = (template: unknown): string | undefined =>
  (template as Annotated | undefined)?.metadata?.annotations?.[RESTART_ANNOTATION]

/** Part of the template, so that pods which have it are told from those which do not. */
function withRestart(child: KubernetesObject, asked: string): KubernetesObject {
  const template = templateOf(child) as Annotated
  const annotations = { ...template.metadata?.annotations, [RESTART_ANNOTATION]: asked }
  return {
    ...child,
    spec: {
      ...(child.spec as object),
      template: { ...template, metadata: { ...template.metadata, annotations } },
    },
  }
}

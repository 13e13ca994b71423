import { isDeepStrictEqual } from 'node:util'
import { POD_TEMPLATE_ANNOTATION } from '../api/names.ts'
import type { Stored } from '../kubernetes/kubernetes-port.ts'
import { ownedFields } from '../owned-fields.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'

/** A pod template as it was last released, and the inputs of the spec that it was made of. */
export type HeldTemplate = Readonly<{ inputs: string; template: unknown }>

/** The template of a Deployment or StatefulSet. */
export const templateOf = ({ spec }: Readonly<Record<string, unknown>>): unknown =>
  (spec as Readonly<{ template?: unknown }> | undefined)?.template

export const imageOf = (template: unknown): string | undefined =>
  (template as { spec?: { containers?: { image?: string }[] } } | undefined)?.spec?.containers?.[0]?.image

/** The workload with this template, which its annotation tells the operators to come. Pure. */
export function withTemplate(workload: KubernetesObject, held: HeldTemplate): KubernetesObject {
  const { metadata, spec } = workload
  const annotations = { ...metadata.annotations, [POD_TEMPLATE_ANNOTATION]: JSON.stringify(held) }
  return {
    ...workload,
    metadata: { ...metadata, annotations },
    spec: { ...(spec as object), template: held.template },
  }
}

/** What a workload that was applied says of itself; undefined where nothing can be read there. Pure. */
export function heldOf(workload: Stored | KubernetesObject | undefined): HeldTemplate | undefined {
  const text = workload?.metadata.annotations?.[POD_TEMPLATE_ANNOTATION]
  if (text === undefined) return undefined
  try {
    const held = JSON.parse(text) as Partial<HeldTemplate> | null
    if (typeof held?.inputs === 'string' && imageOf(held.template) !== undefined)
      return { inputs: held.inputs, template: held.template }
  } catch {} // An edit by hand; what is live tells as well.
  return undefined
}

/**
 * A workload of an operator that wrote no annotation (0.1.0), or lost it: what is live counts as released for the spec as it
 * is, in the words of `rendered` where the two say the same. Pure.
 */
export function adoptTemplate(live: Stored, rendered: KubernetesObject, inputs: string): HeldTemplate {
  const wanted = templateOf(rendered)
  const template = templateOf(live as unknown as KubernetesObject)
  const same = isDeepStrictEqual(ownedFields(template, wanted), ownedFields(wanted, wanted))
  return { inputs, template: same ? wanted : withoutServerFields(template) }
}

/** The API server writes it into every template, and takes it from nobody. */
function withoutServerFields(template: unknown): unknown {
  const { metadata, ...rest } = template as Readonly<{ metadata?: Readonly<Record<string, unknown>> }>
  const { creationTimestamp: _, ...kept } = metadata ?? {}
  return { ...rest, metadata: kept }
}

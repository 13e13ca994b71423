import { isDeepStrictEqual } from 'node:util'
import type { TSchema } from 'typebox'
import { type TrueNowCluster, TrueNowClusterSpec } from '../api/v1alpha1/truenow-cluster.ts'
import type { PodRole } from '../resources/services.ts'

/** The section of the spec that pods of this role alone are made of. */
const SECTIONS = {
  'control-plane': 'controlPlane',
  gateway: 'gateway',
  ingester: 'ingester',
  'hot-tier': 'hotTier',
  query: 'query',
  watermark: 'watermark',
} as const satisfies Readonly<Record<PodRole, string>>
/** Fields that no pod template is made of. Any other is taken for one: a new field then releases too much, never too little. */
const NO_TEMPLATE = ['paused', 'deletionPolicy', 'rebalance', 'monitoring', 'upgradePolicy', 'image']
const NO_TEMPLATE_OF_SECTION = ['replicas', 'autoscaling', 'shards', 'replicationFactor', 'drain', 'storage']

/**
 * What the user says of the pods of one role, as canonical JSON: only this, never what an operator makes of it, so that a new
 * operator restarts nothing. Values equal to the schema's default are left out: a field that a later CRD fills in is nobody's
 * wish. `restart`: the value of the annotation truenow.io/restart that the shards' pods have or shall have. Pure.
 */
export function templateInputs(
  { spec }: TrueNowCluster,
  role: PodRole,
  image: string,
  restart: string | undefined,
): string {
  const others = Object.values(SECTIONS).filter((section) => section !== SECTIONS[role])
  const wanted = (given(spec, TrueNowClusterSpec) ?? {}) as Record<string, unknown>
  const common = without(wanted, [...others, ...NO_TEMPLATE, SECTIONS[role]])
  const own = without((wanted[SECTIONS[role]] ?? {}) as Record<string, unknown>, NO_TEMPLATE_OF_SECTION)
  return JSON.stringify({ image, ...(restart === undefined ? {} : { restart }), own, common })
}

const without = (record: Readonly<Record<string, unknown>>, fields: readonly string[]) =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !fields.includes(key)))

/** `value` with keys in order and without what the schema would have filled in; undefined: nothing is left. */
function given(value: unknown, schema: TSchema | undefined): unknown {
  const { default: byDefault, properties } = (schema ?? {}) as {
    default?: unknown
    properties?: Record<string, TSchema>
  }
  if (byDefault !== undefined && isDeepStrictEqual(value, byDefault)) return undefined
  if (Array.isArray(value)) return value.map((each) => given(each, undefined))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .map(([key, field]) => [key, given(field, properties?.[key])] as const)
    .filter(([, field]) => field !== undefined)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
  // Where the schema knows the fields, an empty section says nothing; where it does not, the user wrote it.
  return properties !== undefined && entries.length === 0 ? undefined : Object.fromEntries(entries)
}

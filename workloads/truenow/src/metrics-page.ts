import { metricPrefix } from '@truenow/chassis/metric-prefix.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import type { Registry } from 'prom-client'
import { markdownTable } from './markdown-table.ts'

/** What prom-client's metrics carry at run time; its types tell less, and another type for `type`. */
type Shown = Readonly<{
  name: string
  help: string
  type: string
  labelNames: readonly string[]
  upperBounds?: readonly number[]
}>
export type RoleRegistry = Readonly<{ role: Role; registry: Registry }>

/**
 * docs/metrics.md from real registries: `chassis` holds what the HTTP and gRPC servers of one role register, `roles` what
 * each role registers itself. Pure but for the registries it reads.
 */
export function metricsPage(
  chassis: RoleRegistry,
  roles: readonly RoleRegistry[],
  generatedBy: string,
): string {
  const prefix = metricPrefix(chassis.role)
  return `# Metrics

${generatedBy}

Every role serves them at \`/metrics\` on its HTTP port, in the Prometheus text format. Names begin with \`truenow_<role>_\`, where \`-\` is
written \`_\`; then what, then the unit. Every label takes a bounded number of values: no path, id or tenant without a limit.
A histogram \`x\` is read as \`x_bucket\`, \`x_sum\` and \`x_count\`; its least and greatest bound are told here.

## every role

${tableOf(chassis.registry, (name) => name.replace(prefix, 'truenow_<role>'))}
${roles.map(({ role, registry }) => `\n## ${role}\n\n${tableOf(registry, (name) => name)}\n`).join('')}`
}

function tableOf(registry: Registry, shown: (name: string) => string): string {
  const metrics = registry.getMetricsAsArray() as unknown as readonly Shown[]
  return markdownTable(
    ['metric', 'kind', 'labels', 'what it says'],
    metrics
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((metric) => [`\`${shown(metric.name)}\``, kindOf(metric), labelsOf(metric), metric.help]),
  )
}

const labelsOf = ({ labelNames }: Shown) => labelNames.map((label) => `\`${label}\``).join(', ')

function kindOf({ type, upperBounds = [] }: Shown): string {
  const [least, greatest] = [upperBounds[0], upperBounds.at(-1)]
  return greatest === undefined ? type : `${type}, ${least} to ${greatest}`
}

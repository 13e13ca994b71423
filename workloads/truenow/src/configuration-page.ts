import { commonConfig } from '@truenow/chassis/config.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import type { TObject } from 'typebox'
import { markdownTable } from './markdown-table.ts'

type Setting = Readonly<{
  type?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  exclusiveMaximum?: number
  minLength?: number
  pattern?: string
  anyOf?: ReadonlyArray<{ const?: unknown }>
  default?: unknown
  description?: string
}>
type Settings = Readonly<Record<string, Setting>>

const PORTS = ['TRUENOW_HTTP_PORT', 'TRUENOW_GRPC_PORT']
const BY_ROLE = 'by role'
const HEADER = ['setting', 'value', 'default', 'what it does'] as const

/**
 * docs/configuration.md from the schemas that the roles check their environment by. What all roles share is told once.
 * Pure. Errors: a setting without a description is a bug of its schema and throws.
 */
export function configurationPage(schemas: Readonly<Record<Role, TObject>>, generatedBy: string): string {
  const roles = Object.keys(ROLE_PORTS) as Role[]
  const settingsOf = (role: Role) => schemas[role].properties as Settings
  const historical = [...new Set(roles.flatMap((role) => Object.keys(settingsOf(role))))].filter(
    (name) => !name.startsWith('TRUENOW_'),
  )
  return `# Configuration

${generatedBy}

Settings are environment variables, read once at the start of \`truenow <role>\`; on a cluster the operator sets them from the
TrueNowCluster. A wrong one ends the process with exit code 2 and \`TN_CONFIG_INVALID\`, which names all wrong settings at once and never a
value. Numbers are written in decimal digits, booleans as \`true\` or \`false\`; nothing is guessed, and no other variable is read.
Secrets are files, never values: the settings whose names end in \`_FILE\` or \`_DIRECTORY\` say where they are mounted.

Historical names, kept for who knows them: ${historical.map((name) => `\`${name}\``).join(', ')}.

## every role

${tableOf(Object.entries(sharedSettings()))}

${markdownTable(
  ['role', 'HTTP port', 'gRPC port'],
  roles.map((role) => [role, String(ROLE_PORTS[role].http), String(ROLE_PORTS[role].grpc)]),
)}
${roles.map((role) => `\n## ${role}\n\n${ownSettings(role, settingsOf(role))}\n`).join('')}`
}

const sharedSettings = (): Settings => {
  const common = commonConfig('gateway') as Settings
  const byRole = PORTS.map((name) => [name, { ...common[name], default: BY_ROLE }] as const)
  return { ...common, ...Object.fromEntries(byRole) }
}

/** What the role adds to the common settings or has otherwise, and which of them it lacks. */
function ownSettings(role: Role, settings: Settings): string {
  const common = commonConfig(role) as Settings
  const same = (name: string) => JSON.stringify(common[name]) === JSON.stringify(settings[name])
  const own = Object.entries(settings).filter(([name]) => !same(name))
  const lacks = Object.keys(common).filter((name) => settings[name] === undefined)
  const without = lacks.length === 0 ? '' : `Not read here: ${lacks.map((name) => `\`${name}\``).join(', ')}.`
  const table = own.length === 0 ? 'None of its own.' : tableOf(own)
  return [table, without].filter((part) => part !== '').join('\n\n')
}

function tableOf(settings: ReadonlyArray<readonly [name: string, setting: Setting]>): string {
  return markdownTable(
    HEADER,
    settings.map(([name, setting]) => {
      if (setting.description === undefined) throw new Error(`${name} has no description.`)
      return [`\`${name}\``, rangeOf(setting), defaultOf(name, setting), setting.description]
    }),
  )
}

/** What the value may be, in words. */
function rangeOf(setting: Setting): string {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, pattern, anyOf } = setting
  if (anyOf !== undefined) return `one of ${anyOf.map((choice) => `\`${choice.const}\``).join(', ')}`
  if (type === 'boolean') return '`true` or `false`'
  if (type === 'string') {
    if (pattern !== undefined) return `text like \`${pattern}\``
    return (setting.minLength ?? 0) > 0 ? 'text, not empty' : 'text'
  }
  const kind = type === 'integer' ? 'whole number' : 'number'
  if (minimum !== undefined && maximum !== undefined)
    return `${kind}, ${digits(minimum)} to ${digits(maximum)}`
  const bounds = [
    minimum === undefined ? '' : `at least ${digits(minimum)}`,
    exclusiveMinimum === undefined ? '' : `above ${digits(exclusiveMinimum)}`,
    maximum === undefined ? '' : `at most ${digits(maximum)}`,
    exclusiveMaximum === undefined ? '' : `below ${digits(exclusiveMaximum)}`,
  ]
  return [kind, ...bounds.filter((bound) => bound !== '')].join(', ')
}

function defaultOf(name: string, { default: byDefault }: Setting): string {
  if (byDefault === undefined) return '**required**'
  if (byDefault === '') return 'empty'
  if (byDefault === BY_ROLE) return BY_ROLE
  const bytes = typeof byDefault === 'number' && name.endsWith('_BYTES_MAX')
  return bytes ? `\`${byDefault}\` (${digits(byDefault / 2 ** 20)} MiB)` : `\`${byDefault}\``
}

const digits = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 6 })

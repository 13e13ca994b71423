import { readFileSync } from 'node:fs'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { type Static, type TObject, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'

export type Environment = Readonly<Record<string, string | undefined>>

/** The settings every role has; spread it into the role's own TypeBox object. */
export const commonConfig = (role: Role) => ({
  TRUENOW_HOST: Type.String({ default: '0.0.0.0', description: 'Address to listen on.' }),
  TRUENOW_HTTP_PORT: port(ROLE_PORTS[role].http, 'Port of the HTTP server; 0 = any free one.'),
  TRUENOW_GRPC_PORT: port(ROLE_PORTS[role].grpc, 'Port of the gRPC server; 0 = any free one.'),
  TRUENOW_LOG_LEVEL: Type.Union(
    [Type.Literal('DEBUG'), Type.Literal('INFO'), Type.Literal('WARN'), Type.Literal('ERROR')],
    { default: 'INFO', description: 'Least level that is logged: DEBUG, INFO, WARN or ERROR.' },
  ),
  TRUENOW_POD_NAME: Type.String({
    default: '',
    description: 'Name in logs and for peers; default: the host name.',
  }),
  TRUENOW_GRACE_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 600,
    default: 20,
    description: 'Seconds from SIGTERM until the process ends by force; less than the pod’s grace period.',
  }),
  TRUENOW_DRAIN_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 120,
    default: 5,
    description:
      'Seconds from SIGTERM in which it goes on answering, unready, until all have heard; a part of the grace. The operator does not wait.',
  }),
  TRUENOW_KUBERNETES_NAMESPACE: Type.String({
    default: 'default',
    description: 'Kubernetes namespace of the cluster: part of topic, schema and key names.',
  }),
  TRUENOW_CLUSTER: Type.String({
    default: 'truenow',
    description: 'Name of the TrueNowCluster: part of topic, schema and key names.',
  }),
  TRUENOW_TLS_DIRECTORY: Type.String({
    default: '',
    description:
      'Directory of tls.crt, tls.key, ca.crt and phase (a mounted <cluster>-<role>-tls), read again every second; default: plain text.',
  }),
})

const port = (byDefault: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: byDefault, description })

/**
 * Reads `environment` by `schema`, once, at start-up. Names every bad key together, so that one restart mends them all.
 * Errors: TN_CONFIG_INVALID.
 */
export function loadConfig<Schema extends TObject>(
  schema: Schema,
  environment: Environment,
): Readonly<Static<Schema>> {
  const given: Record<string, unknown> = {}
  for (const [key, property] of Object.entries(schema.properties)) {
    const text = environment[key]
    if (text !== undefined) given[key] = parsed(text, (property as { type?: unknown }).type)
  }
  const config = Value.Default(schema, given)
  if (Value.Check(schema, config)) return Object.freeze(config) as Readonly<Static<Schema>>
  const keys = Object.keys(schema.properties).filter((key) => !accepts(schema, config, key))
  const problems = keys.map((key) =>
    complaint(key, schema.properties[key] as PropertySchema, environment[key]),
  )
  throw new TrueNowError('TN_CONFIG_INVALID', `Invalid configuration: ${problems.join('; ')}.`, {
    details: { keys },
  })
}

/** Not TypeBox's Value.Convert: it takes '' for 0, 12.7 for 12 and true for 1 where an integer is asked for (measured). */
function parsed(text: string, type: unknown): unknown {
  if (type === 'integer') return /^[+-]?\d{1,16}$/.test(text) ? Number(text) : text
  if (type === 'number') return /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return text
}

function accepts(schema: TObject, config: unknown, key: string): boolean {
  const value = (config as Record<string, unknown>)[key]
  if (value === undefined) return !(schema.required as readonly string[] | undefined)?.includes(key)
  return Value.Check(schema.properties[key] as TSchema, value)
}

type PropertySchema = TSchema &
  Partial<{
    type: string
    minimum: number
    maximum: number
    minLength: number
    pattern: string
    anyOf: ReadonlyArray<{ const?: unknown }>
    description: string
  }>

/** What the key must be, in words, and what it is for. The value itself is not told: it may be a secret. */
function complaint(key: string, schema: PropertySchema, text: string | undefined): string {
  const choices = schema.anyOf?.map((choice) => String(choice.const)).join(', ')
  const range = [
    schema.minimum === undefined ? '' : `at least ${schema.minimum}`,
    schema.maximum === undefined ? '' : `at most ${schema.maximum}`,
  ]
  const kinds: Readonly<Record<string, string>> = { integer: 'a whole number', boolean: 'true or false' }
  const kind =
    schema.type === 'string' ? 'text that is not empty' : (kinds[schema.type ?? ''] ?? `a ${schema.type}`)
  const rule =
    choices !== undefined
      ? `one of ${choices}`
      : schema.pattern !== undefined
        ? `text like ${schema.pattern}`
        : [kind, ...range.filter((bound) => bound !== '')].join(', ')
  const purpose = schema.description === undefined ? '' : ` (${schema.description.replace(/\.$/, '')})`
  return `${key} ${text === undefined ? 'is missing: it' : ''} must be ${rule}${purpose}`.replace('  ', ' ')
}

/** A secret from its mounted file, without the line break at its end. Read it again whenever it is used: it may rotate. */
export function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (cause) {
    throw new TrueNowError('TN_CONFIG_INVALID', `The secret file ${path} cannot be read; mount it there.`, {
      cause,
    })
  }
}

import { readFileSync } from 'node:fs'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { type Static, type TObject, Type } from 'typebox'
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
  TRUENOW_KUBERNETES_NAMESPACE: Type.String({
    default: 'default',
    description: 'Kubernetes namespace of the cluster: part of topic, schema and key names.',
  }),
  TRUENOW_CLUSTER: Type.String({
    default: 'truenow',
    description: 'Name of the TrueNowCluster: part of topic, schema and key names.',
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
  const keys = Object.keys(schema.properties).filter((key) => environment[key] !== undefined)
  const given = Object.fromEntries(keys.map((key) => [key, environment[key]]))
  const config = Value.Convert(schema, Value.Default(schema, given))
  if (Value.Check(schema, config)) return Object.freeze(config) as Readonly<Static<Schema>>
  const problems = [...Value.Errors(schema, config)].map((problem) => {
    const { required = [] } =
      (problem as { params?: { requiredProperties?: string[]; required?: string[] } }).params ?? {}
    const missing =
      (problem as { params?: { requiredProperties?: string[] } }).params?.requiredProperties ?? required
    const place = problem.instancePath.slice(1) || missing.join(', ')
    return `${place} ${problem.message}`
  })
  throw new TrueNowError('TN_CONFIG_INVALID', `Invalid configuration: ${[...new Set(problems)].join('; ')}.`)
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

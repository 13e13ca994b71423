import type { CachePort } from '@truenow/chassis/cache-port.ts'
import type { Environment } from '@truenow/chassis/config.ts'
import type { KafkaSettings } from '@truenow/chassis/kafka-config.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import type { PostgresPort } from '@truenow/chassis/postgres-port.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'

type PostgresSettings = Readonly<{ TRUENOW_POSTGRES_URL_FILE: string; TRUENOW_POSTGRES_CA_FILE: string }>
type RedisSettings = Readonly<{ TRUENOW_REDIS_URL_FILE: string; TRUENOW_REDIS_CA_FILE: string }>
/** How a role gets at the outside systems: the real ones (outside-real.ts), or those of dev mode, shared in one process. */
export type Outside = Readonly<{
  kafka: (settings: KafkaSettings, context: RoleContext) => Promise<KafkaPort>
  postgres: (settings: PostgresSettings, context: RoleContext) => Promise<PostgresPort>
  /** Undefined when no file is named: then there is no cache. */
  cache: (settings: RedisSettings, context: RoleContext) => Promise<CachePort | undefined>
}>

/** Makes the context of a role once its own settings (log level, pod name) are known. */
export type MakeContext = (
  config: Readonly<{
    TRUENOW_LOG_LEVEL: RoleLogLevel
    TRUENOW_POD_NAME: string
    TRUENOW_TLS_DIRECTORY: string
    TRUENOW_DRAIN_SECONDS: number
  }>,
) => RoleContext
export type RoleLogLevel = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'

/** Reads one role's settings, opens its ports and starts it. Closing the role closes its ports, the role first. */
export type OpenRole = (
  environment: Environment,
  makeContext: MakeContext,
  outside: Outside,
) => Promise<RunningRole>

/** The role, closed before what it used, in reverse order of opening. */
export function closingAfter(
  role: RunningRole,
  ...used: ReadonlyArray<{ close: () => unknown }>
): RunningRole {
  let closing: Promise<void> | undefined
  const closeAll = async () => {
    await role.close()
    for (const port of used.toReversed()) await port.close()
  }
  return {
    ...role,
    close: () => {
      closing ??= closeAll()
      return closing
    },
  }
}

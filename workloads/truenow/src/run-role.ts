import { hostname } from 'node:os'
import { systemClock } from '@truenow/chassis/clock.ts'
import type { Environment } from '@truenow/chassis/config.ts'
import { type FollowedTls, followTlsDirectory } from '@truenow/chassis/follow-tls-directory.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { logWarnings } from '@truenow/chassis/log-warnings.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import { Registry } from 'prom-client'
import { outsideReal } from './outside-real.ts'
import { loadOpener } from './roles/load-opener.ts'

/** Runs one role until SIGTERM or SIGINT. Resolves with the exit code. Errors: TN_CONFIG_INVALID, and what the start throws. */
export async function runRole(role: Role, environment: Environment, version: string): Promise<number> {
  const openRole = await loadOpener(role)
  let context: RoleContext | undefined
  let tls: FollowedTls | undefined
  const running = await openRole(
    environment,
    (config) => {
      const pod = config.TRUENOW_POD_NAME === '' ? hostname() : config.TRUENOW_POD_NAME
      const log = createLog({ role, pod, level: config.TRUENOW_LOG_LEVEL })
      logWarnings(process, log)
      const drainMs = config.TRUENOW_DRAIN_SECONDS * 1_000
      context = { log, clock: systemClock, registry: new Registry(), pod, version, drainMs }
      if (config.TRUENOW_TLS_DIRECTORY === '') return context
      tls = followTlsDirectory(config.TRUENOW_TLS_DIRECTORY, (err) =>
        log.warn({ err }, 'the new certificates are not taken; going on with the last ones'),
      )
      context = { ...context, tls }
      return context
    },
    outsideReal,
  )
  const log = context?.log ?? createLog({ role })
  log.info({ version, http: running.httpAddress, grpc: running.grpcAddress }, 'started')
  // Each may come more than once; the second waits for the first.
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => resolve(name))
  })
  log.info({ signal }, 'stopping')
  await running.close()
  tls?.close()
  log.info({}, 'stopped')
  return 0
}

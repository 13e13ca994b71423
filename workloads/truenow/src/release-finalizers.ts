import { systemClock } from '@truenow/chassis/clock.ts'
import { type Environment, loadConfig } from '@truenow/chassis/config.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { OperatorConfig } from '@truenow/operator/config.ts'
import { createKubernetesClient } from '@truenow/operator/kubernetes/kubernetes-client.ts'
import { releaseAllFinalizers } from '@truenow/operator/release-all-finalizers.ts'

/**
 * `truenow release-finalizers <deployment>`: what the chart runs before it is uninstalled, with the operator's own settings
 * and rights. Answers the exit code. Errors: TN_CONFIG_INVALID, KubernetesError.
 */
export async function releaseFinalizers(deployment: string, environment: Environment): Promise<number> {
  const config = loadConfig(OperatorConfig, environment)
  const log = createLog({ role: 'operator', pod: config.TRUENOW_POD_NAME, level: config.TRUENOW_LOG_LEVEL })
  const kubernetes = await createKubernetesClient({ log, clock: systemClock })
  const released = await releaseAllFinalizers(kubernetes, {
    namespace: config.TRUENOW_OPERATOR_NAMESPACE,
    deployment,
    lease: config.TRUENOW_OPERATOR_LEASE,
    watchNamespaces: config.TRUENOW_WATCH_NAMESPACES.split(',').filter((name) => name !== ''),
  })
  await kubernetes.close()
  log.info({ released }, 'finalizers released; data stays where it is')
  return 0
}

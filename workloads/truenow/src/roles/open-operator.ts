import { loadConfig } from '@truenow/chassis/config.ts'
import { askPodTls } from '@truenow/operator/certificates/ask-pod-tls.ts'
import { OperatorConfig } from '@truenow/operator/config.ts'
import { createKubernetesClient } from '@truenow/operator/kubernetes/kubernetes-client.ts'
import { createOperands } from '@truenow/operator/operands.ts'
import { startOperator } from '@truenow/operator/role.ts'
import type { OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext) => {
  const config = loadConfig(OperatorConfig, environment)
  const context = makeContext(config)
  const { log, clock } = context
  return startOperator(config, context, {
    connectKubernetes: (metrics) => createKubernetesClient({ log, clock, metrics }),
    operands: createOperands(),
    random: Math.random,
    askPodTls,
    giveUp: () => process.exit(1),
  })
}

import { loadConfig } from '@truenow/chassis/config.ts'
import { OperatorConfig } from '@truenow/operator/config.ts'
import { startOperator } from '@truenow/operator/role.ts'
import type { OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext) => {
  const config = loadConfig(OperatorConfig, environment)
  return startOperator(config, makeContext(config))
}

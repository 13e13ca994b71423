import { loadConfig } from '@truenow/chassis/config.ts'
import { ControlPlaneConfig } from '@truenow/control-plane/config.ts'
import { startControlPlane } from '@truenow/control-plane/role.ts'
import { closingAfter, type OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext, outside) => {
  const config = loadConfig(ControlPlaneConfig, environment)
  const context = makeContext(config)
  const kafka = await outside.kafka(config, context)
  const postgres = await outside.postgres(config, context)
  const role = await startControlPlane(config, context, { kafka, postgres })
  return closingAfter(role, kafka, postgres)
}

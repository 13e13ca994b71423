import { loadConfig } from '@truenow/chassis/config.ts'
import { GatewayConfig } from '@truenow/gateway/config.ts'
import { startGateway } from '@truenow/gateway/role.ts'
import { followCatalog } from '../follow-catalog.ts'
import { closingAfter, type OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext, outside) => {
  const config = loadConfig(GatewayConfig, environment)
  const context = makeContext(config)
  const kafka = await outside.kafka(config, context)
  const catalog = followCatalog('gateway', config, context)
  const role = await startGateway(config, context, { kafka, catalog })
  return closingAfter(role, kafka, catalog)
}

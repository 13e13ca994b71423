import { loadConfig } from '@truenow/chassis/config.ts'
import { IngesterConfig } from '@truenow/ingester/config.ts'
import { startIngester } from '@truenow/ingester/role.ts'
import { followCatalog } from '../follow-catalog.ts'
import { closingAfter, type OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext, outside) => {
  const config = loadConfig(IngesterConfig, environment)
  const context = makeContext(config)
  const kafka = await outside.kafka(config, context)
  const catalog = followCatalog('ingester', config, context)
  const role = await startIngester(config, context, { kafka, catalog })
  return closingAfter(role, kafka, catalog)
}

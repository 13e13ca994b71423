import { loadConfig } from '@truenow/chassis/config.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { QueryConfig } from '@truenow/query/config.ts'
import { startQuery } from '@truenow/query/role.ts'
import { followCatalog } from '../follow-catalog.ts'
import { closingAfter, type OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext, outside) => {
  const config = loadConfig(QueryConfig, environment)
  const context = makeContext(config)
  const cache = await outside.cache(config, context)
  const catalog = followCatalog('query', config, context)
  const connectShard = (address: string) => createGrpcClient(Shard, address, context.tls, { warm: true })
  const role = await startQuery(config, context, { catalog, cache, connectShard })
  return closingAfter(role, ...(cache === undefined ? [] : [cache]), catalog)
}

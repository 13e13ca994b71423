import { loadConfig } from '@truenow/chassis/config.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createPeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { WatermarkConfig } from '@truenow/watermark/config.ts'
import { startWatermark } from '@truenow/watermark/role.ts'
import { followCatalog } from '../follow-catalog.ts'
import { closingAfter, type OpenRole } from '../role-opener.ts'

export const openRole: OpenRole = async (environment, makeContext) => {
  const config = loadConfig(WatermarkConfig, environment)
  const context = makeContext(config)
  const catalog = followCatalog('watermark', config, context)
  const ingesterAddresses = createPeerAddresses(config.TRUENOW_INGESTERS, { context })
  const role = await startWatermark(config, context, {
    catalog,
    ingesterAddresses,
    connectShard: (address) => createGrpcClient(Shard, address, context.tls),
    connectIngester: (address) => createGrpcClient(BlockStream, address, context.tls),
  })
  return closingAfter(role, catalog, ingesterAddresses)
}

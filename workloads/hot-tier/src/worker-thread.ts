import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { runWorkerThread } from './run-worker-thread.ts'
import { writeDurably } from './write-durably.ts'

/* The entry of a worker thread of a shard: thread-worker.ts starts it. */
runWorkerThread({
  connectIngester: (address) => createGrpcClient(BlockStream, address),
  connectShard: (address) => createGrpcClient(Shard, address),
  writeFile: writeDurably,
})

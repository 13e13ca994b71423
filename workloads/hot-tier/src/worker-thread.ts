import { workerData } from 'node:worker_threads'
import { followTlsDirectory } from '@truenow/chassis/follow-tls-directory.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { runWorkerThread } from './run-worker-thread.ts'
import type { WorkerThreadData } from './worker-messages.ts'
import { writeDurably } from './write-durably.ts'

/* The entry of a worker thread of a shard: thread-worker.ts starts it. */
const { tlsDirectory = '' } = (workerData as WorkerThreadData).settings
// The main thread reads the same files and tells what is wrong with them.
const tls = tlsDirectory === '' ? undefined : followTlsDirectory(tlsDirectory, () => {})
runWorkerThread({
  connectIngester: (address) => createGrpcClient(BlockStream, address, tls),
  connectShard: (address) => createGrpcClient(Shard, address, tls),
  writeFile: writeDurably,
})

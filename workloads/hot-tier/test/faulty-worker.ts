import { workerData } from 'node:worker_threads'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { runWorkerThread } from '../src/run-worker-thread.ts'
import type { WorkerThreadData } from '../src/worker-messages.ts'
import { createFaultyDisk } from './faulty-disk.ts'

/* A worker thread that fails when the test says so, by the switches that it was given. */
const OBEY_MS = 2
const { extra, settings } = workerData as WorkerThreadData
const { writeFile, sync, obey } = createFaultyDisk(extra as Int32Array | undefined)
setInterval(() => obey(settings.worker), OBEY_MS)
runWorkerThread({
  connectIngester: (address) => createGrpcClient(BlockStream, address),
  connectShard: (address) => createGrpcClient(Shard, address),
  writeFile,
  sync,
})

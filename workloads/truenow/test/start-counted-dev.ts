import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Catalog, MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type DevOptions, startDev } from '../src/start-dev.ts'
import { createCountedLoad } from './counted-load.ts'

export type CountedDev = Awaited<ReturnType<typeof startCountedDev>>
/** Phases that a move does not leave. */
export const ENDED: readonly MovePhase[] = [MovePhase.DONE, MovePhase.CANCELLED, MovePhase.FAILED]

/** Dev mode on a directory of its own, with two replicas of each slot, its catalog, and a load whose every answer is recounted. */
export async function startCountedDev(shards: number, log: DevOptions['log']) {
  const directory = await mkdtemp(join(tmpdir(), 'truenow-shards-'))
  const dev = await startDev({
    portBase: 0,
    dataDirectory: directory,
    version: '0.0.0-test',
    onStep: () => {},
    shards,
    replicationFactor: 2,
    log,
  })
  const catalog = createGrpcClient(Catalog, dev.controlPlane)
  return {
    dev,
    catalog,
    load: createCountedLoad(dev),
    close: async () => {
      catalog.close()
      await dev.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

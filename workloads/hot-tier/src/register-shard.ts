import { randomUUID } from 'node:crypto'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { CatalogView } from '@truenow/chassis/catalog-view.ts'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { ShardRouter } from './shard-router.ts'
import type { SlotStates } from './shard-worker.ts'
import { readIdentity, type VolumeIdentity, wipeVolume, writeIdentity } from './volume-identity.ts'
import { volumeRoom } from './volume-room.ts'
import type { WriteFile } from './write-durably.ts'

export type RegistrationParts = Readonly<{
  context: RoleContext
  controlPlane: Client<typeof Catalog>
  catalog: CatalogClient
  shard: ShardRouter
  ordinal: number
  address: string
  dataDirectory: string
  residentBytesMax: number
  writeFile: WriteFile
  /** Called when this process must not go on: another one, or another volume, is the shard now. */
  onRetired: (why: string) => void
}>
export type Registration = Readonly<{ reportSoon: () => void; close: () => Promise<void> }>

const REPORT_MS = 1_000
const RETRY_MS = 500
const CALL_TIMEOUT_MS = 5_000

/**
 * Says hello to the control plane, then reports about once a second. Meanwhile, with a volume whose identity the kept
 * catalog knows, the shard serves at once: PostgreSQL or the control plane may be away.
 */
export function registerShard(parts: RegistrationParts): Registration {
  const { context, dataDirectory, catalog } = parts
  const processId = `${context.pod}-${randomUUID()}`
  const ending = new AbortController()
  let registered: VolumeIdentity | undefined
  let wake = () => {}
  const known = readIdentity(dataDirectory)
  const kept = catalog.current()
  if (
    known !== undefined &&
    kept?.catalogId === known.catalogId &&
    kept.shard(parts.ordinal)?.incarnation === known.incarnation
  ) {
    void serveAtOnce(parts, known, kept)
  }
  const run = async () => {
    while (!ending.signal.aborted) {
      try {
        registered ??= await register(parts, processId, ending.signal)
        await report(parts, registered, processId, ending.signal)
        await wakeOr(REPORT_MS)
      } catch (err) {
        if (ending.signal.aborted) return
        if (err instanceof TrueNowError && err.code === 'TN_SHARD_RETIRED') {
          // Registering again would take the shard from whoever holds it now; the kubelet starts us anew, and then we ask.
          parts.onRetired(err.message)
          return
        }
        context.log.warn({ err }, 'the control plane does not answer this shard; serving on')
        await wakeOr(RETRY_MS)
      }
    }
  }
  const wakeOr = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const running = run()
  return {
    reportSoon: () => wake(),
    close: async () => {
      ending.abort()
      wake()
      await running
    },
  }
}

/** A failure is only noted: registering assigns again. */
async function serveAtOnce(
  { shard, context }: RegistrationParts,
  known: VolumeIdentity,
  kept: CatalogView,
): Promise<void> {
  try {
    await Promise.all([shard.open(known), shard.assign(kept)])
  } catch (err) {
    context.log.warn({ err }, 'the kept catalog could not be served')
  }
}

async function register(
  parts: RegistrationParts,
  processId: string,
  signal: AbortSignal,
): Promise<VolumeIdentity> {
  const { dataDirectory, controlPlane, shard, catalog, context } = parts
  const volume = readIdentity(dataDirectory)
  const answer = await controlPlane.registerShard(
    {
      shard: parts.ordinal,
      address: parts.address,
      volumeIncarnation: BigInt(volume?.incarnation ?? 0),
      volumeCatalogId: volume?.catalogId ?? '',
      epochMax: BigInt(volume?.epochMax ?? 0),
      processId,
    },
    { signal, timeoutMs: CALL_TIMEOUT_MS },
  )
  const identity = {
    catalogId: answer.catalogId,
    incarnation: Number(answer.incarnation),
    epochMax: volume?.epochMax ?? 0,
  }
  const same = volume?.catalogId === identity.catalogId && volume.incarnation === identity.incarnation
  if (!same) {
    await shard.reset() // What the kept catalog let us serve belongs to another incarnation by now.
    context.log.info({ volume, identity }, 'the volume is new to this catalog: starting empty')
    wipeVolume(dataDirectory)
    writeIdentity(dataDirectory, identity, parts.writeFile)
  }
  await shard.open(identity)
  const view = catalog.current()
  if (view !== undefined) await shard.assign(view)
  return identity
}

async function report(
  parts: RegistrationParts,
  identity: VolumeIdentity,
  processId: string,
  signal: AbortSignal,
): Promise<void> {
  const { slots, residentBytes, catalogRevision } = await parts.shard.states()
  keepEpochMax(parts, identity, slots)
  await parts.controlPlane.reportShard(
    {
      shard: parts.ordinal,
      incarnation: BigInt(identity.incarnation),
      processId,
      slots: [...slots],
      catalogRevision: BigInt(catalogRevision),
      memoryBytes: BigInt(residentBytes),
      memoryBytesMax: BigInt(parts.residentBytesMax),
      workers: parts.shard.workerCount,
      ...volumeRoom(parts.dataDirectory),
    },
    { signal, timeoutMs: CALL_TIMEOUT_MS },
  )
}

/** A full volume costs the note, not the report: unheard of, the shard would be taken for dead. */
function keepEpochMax(
  { dataDirectory, writeFile, context }: RegistrationParts,
  identity: VolumeIdentity,
  slots: SlotStates['slots'],
) {
  const epochMax = slots.reduce((max, { epoch = 0n }) => Math.max(max, Number(epoch)), 0)
  if (epochMax <= (readIdentity(dataDirectory)?.epochMax ?? 0)) return
  try {
    writeIdentity(dataDirectory, { ...identity, epochMax }, writeFile)
  } catch (err) {
    context.log.warn({ err, epochMax }, 'the greatest epoch could not be noted on the volume')
  }
}

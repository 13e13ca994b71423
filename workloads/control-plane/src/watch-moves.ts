import { setTimeout as delay } from 'node:timers/promises'
import { equals } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type MovesResponse,
  MovesResponseSchema,
  type WatchMovesRequest,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { movesMessage } from './moves-message.ts'
import type { Parts } from './parts.ts'

/** Watches of moves that one process keeps: each asks PostgreSQL about once a second. */
export const MOVE_WATCHERS_MAX = 64
/** Steps come by the catalog's revision at once; bytes and reasons are looked at this often. */
const LOOK_MS = 1_000

/** Catalog.WatchMoves: the moves of a plan at once, and again whenever anything of them has changed. */
export function createMovesWatch({ store, follower, metrics }: Parts) {
  let watchers = 0
  return async function* watchMoves(
    { planId }: WatchMovesRequest,
    { signal }: Readonly<{ signal: AbortSignal }>,
  ): AsyncGenerator<MovesResponse> {
    if (watchers >= MOVE_WATCHERS_MAX)
      throw new TrueNowError('TN_OVERLOADED', `${MOVE_WATCHERS_MAX} watch moves already (MOVE_WATCHERS_MAX); try again later.`) // biome-ignore format: one line
    metrics.moveWatchers.set(++watchers)
    try {
      let told: MovesResponse | undefined
      while (!signal.aborted) {
        const moves = await store.read((query) => movesMessage(query, planId))
        if (told === undefined || !equals(MovesResponseSchema, told, moves)) yield moves
        told = moves
        const looking = new AbortController()
        const either = AbortSignal.any([signal, looking.signal])
        await Promise.race([
          follower.changed(either),
          delay(LOOK_MS, undefined, { signal: either }).catch(() => {}),
        ])
        looking.abort()
      }
    } finally {
      metrics.moveWatchers.set(--watchers)
    }
  }
}

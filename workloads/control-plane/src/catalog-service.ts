import { TrueNowError } from '@truenow/contracts/errors.ts'
import type {
  CatalogSnapshot,
  MovesResponse,
  WatchCatalogRequest,
  WatchMovesRequest,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { advanceMoves } from './advance-moves.ts'
import { cancelMoves } from './cancel-moves.ts'
import { isCatalogGone, sqlStates } from './catalog-store.ts'
import { deleteCluster } from './delete-cluster.ts'
import { deleteTable } from './delete-table.ts'
import { getPlacement } from './get-placement.ts'
import { grantLeader } from './grant-leader.ts'
import type { Parts } from './parts.ts'
import { approveMoves, planMoves } from './plan-moves.ts'
import { putCluster } from './put-cluster.ts'
import { putTable } from './put-table.ts'
import { registerShard } from './register-shard.ts'
import { createReportShard } from './report-shard.ts'
import { retireShards } from './retire-shards.ts'
import { createCatalogWatch } from './watch-catalog.ts'
import { createMovesWatch } from './watch-moves.ts'

type Call = Readonly<{ signal: AbortSignal }>
export type CatalogService = ReturnType<typeof createCatalogService>

/** The handlers of the Catalog service, each counted by outcome. */
export function createCatalogService(parts: Parts) {
  const { metrics } = parts
  const unary =
    <Request, Response>(method: string, handle: (parts: Parts, request: Request) => Promise<Response>) =>
    async (request: Request): Promise<Response> => {
      try {
        const response = await handle(parts, request)
        metrics.calls.inc({ method, outcome: 'ok' })
        return response
      } catch (thrown) {
        const error = asTrueNowError(thrown)
        metrics.calls.inc({ method, outcome: error instanceof TrueNowError ? error.code : 'TN_INTERNAL' })
        throw error
      }
    }
  const watchCatalog = createCatalogWatch(parts)
  const watchMoves = createMovesWatch(parts)
  const reportShard = createReportShard(parts)
  return {
    watch: (request: WatchCatalogRequest, call: Call): AsyncIterable<CatalogSnapshot> =>
      watchCatalog(request, call),
    putCluster: unary('PutCluster', putCluster),
    putTable: unary('PutTable', putTable),
    deleteTable: unary('DeleteTable', deleteTable),
    deleteCluster: unary('DeleteCluster', deleteCluster),
    registerShard: unary('RegisterShard', registerShard),
    reportShard: unary('ReportShard', (_, request: Parameters<typeof reportShard>[0]) =>
      reportShard(request),
    ),
    getPlacement: unary('GetPlacement', getPlacement),
    grantLeader: unary('GrantLeader', grantLeader),
    planMoves: unary('PlanMoves', planMoves),
    approveMoves: unary('ApproveMoves', approveMoves),
    advanceMoves: unary('AdvanceMoves', advanceMoves),
    cancelMoves: unary('CancelMoves', cancelMoves),
    retireShards: unary('RetireShards', retireShards),
    watchMoves: (request: WatchMovesRequest, call: Call): AsyncIterable<MovesResponse> =>
      watchMoves(request, call),
  }
}

/** Lock not had in time, serialization given up, deadlock: nothing was done, and the same again may well succeed. */
const BUSY_STATES = ['55P03', '40001', '40P01']
/** Calls are served while this process, or another, still runs the migration that brings the column. */
const UNDEFINED_COLUMN = '42703'

function asTrueNowError(cause: unknown): unknown {
  if (isCatalogGone(cause)) {
    const message = 'The catalog is not in PostgreSQL: it was deleted, or not made yet; PutCluster makes it.'
    return new TrueNowError('TN_CATALOG_UNAVAILABLE', message, { cause })
  }
  if (sqlStates(cause).includes(UNDEFINED_COLUMN)) {
    const message = 'The catalog is of an earlier version, and being brought to this one; try again.'
    return new TrueNowError('TN_CATALOG_UNAVAILABLE', message, { cause })
  }
  if (sqlStates(cause).some((state) => BUSY_STATES.includes(state))) {
    return new TrueNowError('TN_POSTGRES_UNAVAILABLE', 'The catalog is busy with other changes; try again.', {
      cause,
    })
  }
  return cause
}

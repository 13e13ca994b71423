import { Readable } from 'node:stream'
import { create } from '@bufbuild/protobuf'
import type { HttpApp } from '@truenow/chassis/http-server.ts'
import {
  PlanRebalanceRequestSchema,
  type RebalanceProgress,
  RebalanceRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/rebalancer_pb.ts'
import { Type } from 'typebox'
import type { createRebalancerService } from './rebalancer-service.ts'

/** A watch ends by itself after so long, below what the HTTP server lets any request last; ask again to go on. */
const WATCH_MS_MAX = 60_000
const KUBERNETES_NAME = '^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$'
const Params = Type.Object({
  namespace: Type.String({ pattern: KUBERNETES_NAME }),
  name: Type.String({ pattern: KUBERNETES_NAME }),
})
const Plan = Type.Object(
  { cluster: Type.String({ pattern: KUBERNETES_NAME }) },
  { additionalProperties: false },
)
const Watch = Type.Object({ watch: Type.Optional(Type.Enum(['true', 'false'])) })

/**
 * The rebalancer API over HTTP, for those who have no gRPC at hand. Namespaces are those of Kubernetes. PUT makes a Rebalance
 * or finds it; POST …/approve and …/stop annotate it; GET says how far it is, with ?watch=true as one line of JSON at once
 * and one after every change.
 */
export function rebalancerRoutes(
  app: HttpApp,
  rebalancer: Omit<ReturnType<typeof createRebalancerService>, 'getPlacement'>,
): void {
  const path = '/v1/namespaces/:namespace/rebalances/:name'
  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort())
  const requestOf = ({ namespace, name }: Readonly<{ namespace: string; name: string }>) =>
    create(RebalanceRequestSchema, { kubernetesNamespace: namespace, name })
  app.put(path, { schema: { params: Params, body: Plan } }, async ({ params, body }) => {
    const { namespace: kubernetesNamespace, name } = params
    const request = create(PlanRebalanceRequestSchema, { kubernetesNamespace, name, cluster: body.cluster })
    return progressJson(await rebalancer.planRebalance(request))
  })
  const schema = { params: Params }
  app.post(`${path}/approve`, { schema }, async ({ params }) =>
    progressJson(await rebalancer.approveRebalance(requestOf(params))),
  )
  app.post(`${path}/stop`, { schema }, async ({ params }) =>
    progressJson(await rebalancer.cancelRebalance(requestOf(params))),
  )
  app.get(
    path,
    { schema: { params: Params, querystring: Watch } },
    async ({ params, query, signal }, reply) => {
      const ended = AbortSignal.any([signal, closing.signal, AbortSignal.timeout(WATCH_MS_MAX)])
      const watch = rebalancer.watchRebalance(requestOf(params), { signal: ended })
      // The first one is waited for, so that what cannot be watched is refused with a status of its own.
      const { value: first } = await watch.next()
      if (query.watch !== 'true') await watch.return(undefined)
      if (query.watch !== 'true' || first === undefined) return progressJson(first)
      return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(linesOf(first, watch)))
    },
  )
}

async function* linesOf(
  first: RebalanceProgress,
  rest: AsyncIterable<RebalanceProgress>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(progressJson(first))}\n`
  for await (const progress of rest) yield `${JSON.stringify(progressJson(progress))}\n`
}

/** Bytes are plain numbers here: no cluster's are beyond 2^53. */
function progressJson(progress: RebalanceProgress) {
  return {
    state: progress.state,
    message: progress.message,
    round: progress.round,
    move_count: progress.moveCount,
    bytes_to_move: Number(progress.bytesToMove),
    moves_ended: progress.movesEnded,
    bytes_moved: Number(progress.bytesMoved),
    bytes_per_second: Number(progress.bytesPerSecond),
    eta_seconds: progress.etaSeconds === 0 ? null : progress.etaSeconds,
    moves: progress.moves.map(({ table, slot, from, to, bytes, phase, bytesCopied, message }) => ({
      ...{ table, slot, from, to, phase, message },
      bytes: Number(bytes),
      bytes_copied: Number(bytesCopied),
    })),
  }
}

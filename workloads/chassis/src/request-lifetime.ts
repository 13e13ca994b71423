import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { FastifyInstance } from 'fastify'

/**
 * Makes `request.signal` abort when the client leaves before it has its answer, or `handlerMsMax` after the request
 * came; then the client gets TN_OVERLOADED, also where the handler does not look at the signal.
 * In place of fastify's own signal and `handlerTimeout` (5.12): both listen to the request's `close`, which Node emits
 * as soon as the body is read. Every POST would see itself aborted, and none would time out (measured).
 */
export function boundRequestLifetime(app: FastifyInstance, handlerMsMax: number): void {
  const timers = new WeakMap<object, NodeJS.Timeout>()
  app.addHook('onRequest', async (request, reply) => {
    const abort = new AbortController()
    Object.defineProperty(request, 'signal', { value: abort.signal })
    const timer = setTimeout(() => {
      const message = `The request was not answered within ${handlerMsMax / 1_000} s; ask for less, or later.`
      const late = new TrueNowError('TN_OVERLOADED', message, { details: { handlerMsMax } })
      abort.abort(late)
      if (!reply.sent && !reply.raw.headersSent) reply.send(late)
    }, handlerMsMax)
    timers.set(request, timer)
    reply.raw.once('close', () => {
      clearTimeout(timer)
      if (!reply.raw.writableFinished) abort.abort()
    })
  })
  app.addHook('onResponse', async (request) => clearTimeout(timers.get(request)))
}

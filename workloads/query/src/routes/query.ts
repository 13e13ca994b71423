import type { HttpApp } from '@truenow/chassis/http-server.ts'
import { Type } from 'typebox'
import type { Ask } from '../answer-query.ts'

/** POST /v1/query: a statement in JSON, its answer in JSON. A client that goes away cancels the work on the shards. */
export function queryRoute(app: HttpApp, { ask }: Readonly<{ ask: Ask }>): void {
  // The parser of the statement names places better than a schema would; here only its media type is held.
  const schema = { body: Type.Unknown() }
  app.post('/v1/query', { schema }, async ({ body, signal }, reply) => {
    const { text } = await ask(body, signal)
    return reply.type('application/json; charset=utf-8').send(text)
  })
}

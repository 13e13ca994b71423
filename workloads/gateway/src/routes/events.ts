import type { Clock } from '@truenow/chassis/clock.ts'
import type { HttpApp } from '@truenow/chassis/http-server.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { readBody } from '@truenow/kernels/ingest/read-body.ts'
import { answerIngest, type IngestParts } from '../answer-ingest.ts'

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'

/**
 * POST /v1/namespaces/:namespace/tables/:table/events: a JSON array, one JSON object, or NDJSON. 200 once Kafka has every
 * accepted event, with the positions written; 422 when no event was good. A client that goes away leaves its events on
 * their way: it does not know what became of them, and sends the same ids again.
 */
export function eventsRoute(app: HttpApp, parts: IngestParts, clock: Clock, bodyBytesMax: number): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers() // The body is read by the table's schema, from its bytes.
    for (const type of [JSON_TYPE, NDJSON_TYPE]) {
      scope.addContentTypeParser(
        type,
        { parseAs: 'buffer', bodyLimit: bodyBytesMax },
        (_request, body, done) => done(null, body),
      )
    }
    scope.post<{ Params: { namespace: string; table: string }; Body: Buffer }>(
      '/v1/namespaces/:namespace/tables/:table/events',
      { bodyLimit: bodyBytesMax },
      async ({ params, body, headers }) => {
        const encoding = headers['content-encoding'] ?? 'identity'
        if (encoding !== 'identity') {
          throw new TrueNowError(
            'TN_MEDIA_TYPE_UNSUPPORTED',
            `Content-Encoding '${encoding}' is not taken; send the body as it is.`,
          )
        }
        const format =
          headers['content-type']?.toLowerCase().startsWith(NDJSON_TYPE) === true ? 'ndjson' : 'json'
        const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
        return answerIngest(parts, params.namespace, params.table, (schema) =>
          readBody(bytes, format, schema, clock.nowUs()),
        )
      },
    )
  })
}

import { Transform } from 'node:stream'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { FastifyInstance } from 'fastify'

/** Objects and arrays inside one another in a JSON body: 32 levels of a query's filter, two each, and what is around. */
export const JSON_DEPTH_MAX = 72

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/**
 * Tells, chunk by chunk, whether JSON text nests at most `depthMax` deep; brackets inside strings do not count. Text
 * that is no JSON gets some answer: its parser refuses it anyway. Cost: O(bytes), no allocation.
 */
export function createJsonDepthScanner(depthMax: number): (chunk: Uint8Array) => boolean {
  let depth = 0
  let inString = false
  let escaped = false
  return (chunk) => {
    for (const byte of chunk) {
      if (escaped) escaped = false
      else if (inString) {
        if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
      } else if (byte === QUOTE) inString = true
      else if (OPENING.has(byte)) {
        depth += 1
        if (depth > depthMax) return false
      } else if (CLOSING.has(byte)) depth -= 1
    }
    return true
  }
}

/**
 * Refuses JSON bodies nested deeper than JSON_DEPTH_MAX before they are parsed: neither JSON.parse nor fastify limits
 * depth, and 200,000 levels reach the handler. A compressed body is left to the role that knows how to unpack it.
 */
export function limitJsonDepth(app: FastifyInstance): void {
  app.addHook('preParsing', async (request, reply, payload) => {
    const { 'content-type': contentType = '', 'content-encoding': encoding } = request.headers
    if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(contentType) || encoding !== undefined) return payload
    const within = createJsonDepthScanner(JSON_DEPTH_MAX)
    const scanned = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (within(chunk)) return done(null, chunk)
        payload.unpipe(scanned)
        payload.resume() // What is left of the body is thrown away, so that the client gets to read the answer.
        reply.header('connection', 'close')
        const message = `The body nests deeper than ${JSON_DEPTH_MAX} levels; flatten it.`
        done(new TrueNowError('TN_REQUEST_INVALID', message, { details: { JSON_DEPTH_MAX } }))
      },
    })
    payload.once('error', (error) => scanned.destroy(error))
    payload.once('close', () => {
      if (!payload.readableEnded) scanned.destroy(new Error('The client left before the end of its body.'))
    })
    return payload.pipe(scanned)
  })
}

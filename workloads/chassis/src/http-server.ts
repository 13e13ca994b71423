import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import { Counter, Histogram } from 'prom-client'
import type { Health } from './health.ts'
import { metricPrefix } from './metric-prefix.ts'
import type { RoleContext } from './running-role.ts'

export type HttpApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>
export type HttpServer = Readonly<{
  app: HttpApp
  /** Listens and answers the port; 0 = any free one. */
  listen: (host: string, port: number) => Promise<number>
  /** Stops listening, answers what is in flight, then closes. */
  close: () => Promise<void>
}>

const BODY_BYTES_MAX = 1 << 20
const CONNECTIONS_MAX = 10_000

/**
 * Fastify with every limit set (its own defaults let slow clients stay for ever), the routes every role serves, and
 * errors as `{error: {code, message, details}}`, never with a stack. Routes are declared on `app`.
 */
export function createHttpServer(
  options: Readonly<{ role: string; context: RoleContext; health: Health; bodyBytesMax?: number }>,
): HttpServer {
  const { role, context, health } = options
  const app = Fastify({
    bodyLimit: options.bodyBytesMax ?? BODY_BYTES_MAX,
    requestTimeout: 15_000,
    keepAliveTimeout: 72_000,
    maxRequestsPerSocket: 10_000,
    http: {
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16_384,
    },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false },
    },
  })
    .setValidatorCompiler(TypeBoxValidatorCompiler)
    .withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = CONNECTIONS_MAX
  app.setErrorHandler((error, request, reply) => answerError(error as FastifyError, request, reply, context))
  app.setNotFoundHandler((request, reply) => {
    const message = `There is no ${request.method} ${request.url.split('?')[0]} here.`
    return reply.code(404).send({ error: { code: 'TN_REQUEST_INVALID', message, details: {} } })
  })
  measure(app as unknown as FastifyInstance, role, context)
  serveHealth(app as unknown as FastifyInstance, health, context)
  return {
    app: app as unknown as HttpApp,
    listen: async (host, port) => {
      await app.listen({ host, port })
      const address = app.server.address()
      return typeof address === 'object' && address !== null ? address.port : port
    },
    close: () => app.close(),
  }
}

function serveHealth(app: FastifyInstance, health: Health, context: RoleContext): void {
  app.get('/health', (_request, reply) => {
    const report = health.status()
    return reply.code(report.status === 'unhealthy' ? 503 : 200).send(report)
  })
  app.get('/livez', (_request, reply) => reply.send({ status: 'alive' }))
  app.get('/readyz', (_request, reply) => {
    const reason = health.notReadyReason()
    return reason === undefined
      ? reply.send({ status: 'ready' })
      : reply.code(503).send({ status: 'not ready', reason })
  })
  app.get('/metrics', async (_request, reply) => {
    reply.header('content-type', context.registry.contentType)
    return context.registry.metrics()
  })
}

function measure(app: FastifyInstance, role: string, context: RoleContext): void {
  const prefix = metricPrefix(role)
  const requests = new Counter({
    name: `${prefix}_http_requests_total`,
    help: 'HTTP requests by route, method and status.',
    labelNames: ['route', 'method', 'status'] as const,
    registers: [context.registry],
  })
  const seconds = new Histogram({
    name: `${prefix}_http_request_seconds`,
    help: 'Time to answer an HTTP request.',
    labelNames: ['route'] as const,
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [context.registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown' // Never the raw path: labels take a bounded set.
    requests.inc({ route, method: request.method, status: String(reply.statusCode) })
    seconds.observe({ route }, reply.elapsedTime / 1_000)
  })
}

function answerError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  context: RoleContext,
): unknown {
  const known = error instanceof TrueNowError ? error : asTrueNowError(error)
  if (known.code === 'TN_INTERNAL') {
    context.log.error(
      { err: error, route: request.routeOptions.url, method: request.method },
      'request failed',
    )
  }
  if (known.statusCode === 503 || known.statusCode === 429) reply.header('retry-after', '1')
  const { code, message, details } = known
  return reply.code(known.statusCode).send({ error: { code, message, details } })
}

/** What fastify itself refuses, in our codes. */
function asTrueNowError(error: FastifyError): TrueNowError {
  if (error.validation !== undefined) {
    const [first] = error.validation
    const path = `${error.validationContext ?? 'body'}${first?.instancePath ?? ''}`
    return new TrueNowError('TN_REQUEST_INVALID', `${path} ${first?.message ?? 'is not valid'}.`, {
      details: { path },
    })
  }
  if (error.statusCode === 413) return new TrueNowError('TN_BODY_TOO_LARGE', `${error.message}.`)
  if (error.statusCode === 415) return new TrueNowError('TN_MEDIA_TYPE_UNSUPPORTED', `${error.message}.`)
  if (error.statusCode === 503)
    return new TrueNowError('TN_SHUTTING_DOWN', 'This process is shutting down; ask another.')
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new TrueNowError('TN_REQUEST_INVALID', error.message)
  }
  return new TrueNowError('TN_INTERNAL', 'The request failed inside; the log of this pod says why.', {
    cause: error,
  })
}

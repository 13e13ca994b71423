import type { Socket } from 'node:net'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import { type ErrorCode, TrueNowError } from '@truenow/contracts/errors.ts'
import Fastify, {
  type ConnectionError,
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
import { limitJsonDepth } from './json-depth.ts'
import { metricPrefix } from './metric-prefix.ts'
import { createProcessMetrics } from './process-metrics.ts'
import { boundRequestLifetime } from './request-lifetime.ts'
import type { RoleContext } from './running-role.ts'
import { createCertificateMetrics, createTlsReport } from './tls-report.ts'

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
  /** Goes on answering, and ends each connection with its next answer: whoever comes again finds another process. */
  leave: () => void
  /** Stops listening, answers what is in flight, then closes; after 10 s it cuts what is left. */
  close: () => Promise<void>
}>

const BODY_BYTES_MAX = 1 << 20
const CONNECTIONS_MAX = 10_000
/** What is in flight when it closes has this long; half of the pod's own default, so that the rest can close too. */
const CLOSE_GRACE_MS = 10_000
/** Above the 60 s that a query may ask for itself. */
const HANDLER_MS_MAX = 65_000
/**
 * How long clients are told to keep a connection on which nothing happens: shorter than TRUENOW_DRAIN_SECONDS, so that a client
 * that listens has let go of it before a process that ends closes it, and no request crosses that close.
 */
const KEEP_ALIVE_TOLD_MS = 4_000
/** How long it is kept in truth: above the 60 s of the usual load balancers, which do not listen. */
const KEEP_ALIVE_MS = 72_000

/**
 * Fastify with every limit set (its own defaults let slow clients stay for ever), the routes every role serves, and
 * errors as `{error: {code, message, details}}`, never with a stack. Routes are declared on `app`; in a handler
 * `request.signal` aborts when its client leaves.
 */
export function createHttpServer(
  options: Readonly<{ role: string; context: RoleContext; health: Health; bodyBytesMax?: number }>,
): HttpServer {
  const { role, context, health } = options
  const app = Fastify({
    bodyLimit: options.bodyBytesMax ?? BODY_BYTES_MAX,
    requestTimeout: 15_000,
    keepAliveTimeout: KEEP_ALIVE_TOLD_MS,
    maxRequestsPerSocket: 10_000,
    http: {
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeoutBuffer: KEEP_ALIVE_MS - KEEP_ALIVE_TOLD_MS,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16_384,
    },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    return503OnClosing: false, // serveUntilClosed says it with our code.
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply, context),
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
    return reply
      .code(404)
      .type('application/json; charset=utf-8')
      .send(errorBody({ code: 'TN_REQUEST_INVALID', message }))
  })
  const plain = app as unknown as FastifyInstance
  const { leave, stopServing } = serveUntilClosed(plain)
  boundRequestLifetime(plain, HANDLER_MS_MAX)
  limitJsonDepth(plain)
  measure(plain, role, context)
  createProcessMetrics(context.registry)
  serveHealth(plain, health, context)
  serveTlsReport(plain, context)
  return {
    app: app as unknown as HttpApp,
    listen: async (host, port) => {
      await app.listen({ host, port })
      const address = app.server.address()
      return typeof address === 'object' && address !== null ? address.port : port
    },
    leave,
    close: async () => {
      stopServing()
      const force = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS)
      await app.close().finally(() => clearTimeout(force))
    },
  }
}

const OPERATIONAL_ROUTES: ReadonlySet<string | undefined> = new Set([
  '/health',
  '/livez',
  '/readyz',
  '/metrics',
  '/tls',
])

type Leaving = Readonly<{
  /** From then on every answer ends its connection. */
  leave: () => void
  /** From then on requests that come over open connections get TN_SHUTTING_DOWN; probes and scrapes are answered. */
  stopServing: () => void
}>

function serveUntilClosed(app: FastifyInstance): Leaving {
  let leaving = false
  let closing = false
  app.addHook('onRequest', async (request, reply) => {
    if (leaving) reply.header('connection', 'close')
    if (!closing || OPERATIONAL_ROUTES.has(request.routeOptions.url)) return
    reply.header('connection', 'close')
    throw new TrueNowError('TN_SHUTTING_DOWN', 'This process is shutting down; ask another.')
  })
  // Connections idle at the close are closed by it, but not those whose last answer came later: their clients keep them.
  app.addHook('onResponse', async () => {
    if (closing) setImmediate(() => app.server.closeIdleConnections())
  })
  return {
    leave: () => {
      leaving = true
    },
    stopServing: () => {
      closing = true
    },
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

/** With certificates only; a process without any has no such page, which tells the operator the same. */
function serveTlsReport(app: FastifyInstance, { tls, clock, registry }: RoleContext): void {
  if (tls === undefined) return
  const report = createTlsReport(tls, clock)
  createCertificateMetrics(registry, tls, clock)
  app.get('/tls', (_request, reply) => reply.send(report()))
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
  if (known.statusCode === 503) reply.header('retry-after', '1')
  return reply.code(known.statusCode).type('application/json; charset=utf-8').send(errorBody(known))
}

type ErrorAnswer = Readonly<{ code: ErrorCode; message: string; details?: Readonly<Record<string, unknown>> }>

const errorBody = ({ code, message, details = {} }: ErrorAnswer): string =>
  JSON.stringify({ error: { code, message, details } }, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )

/** What Node refuses before there is a request: too slow, too long headers, no HTTP at all. */
function answerClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'The request did not arrive within 15 s, or its headers within 10 s.']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'The headers are longer than 16 KiB.']
        : ['400 Bad Request', 'This is no HTTP/1.1 request.']
  const body = errorBody({ code: 'TN_REQUEST_INVALID', message })
  const headers = `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}`
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\nconnection: close\r\n\r\n${body}`, () => socket.destroy())
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
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new TrueNowError('TN_REQUEST_INVALID', error.message)
  }
  return new TrueNowError('TN_INTERNAL', 'The request failed inside; the log of this pod says why.', {
    cause: error,
  })
}

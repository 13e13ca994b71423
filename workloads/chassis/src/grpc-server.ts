import { isIPv6 } from 'node:net'
import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { ERROR_CODES, TrueNowError } from '@truenow/contracts/errors.ts'
import {
  HealthCheckResponse_ServingStatus,
  Health as HealthService,
} from '@truenow/contracts/gen/grpc_health_v1_pb.ts'
import { OPEN_TO_CLIENTS } from '@truenow/contracts/role-calls.ts'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Health } from './health.ts'
import type { Log } from './log.ts'
import { metricPrefix } from './metric-prefix.ts'
import type { TlsCredentials } from './tls-credentials.ts'
import { createTlsListener, type TlsListener } from './tls-listener.ts'

export type CallContext = Readonly<{ signal: AbortSignal; peer: string }>
/** One handler a method: unary ones answer a promise, server-streaming ones an async iterable. */
export type Handlers<Service extends DescService> = {
  [Name in keyof Service['method']]: Service['method'][Name] extends {
    methodKind: 'server_streaming'
    input: infer Input extends DescMethod['input']
    output: infer Output extends DescMethod['output']
  }
    ? (request: MessageShape<Input>, context: CallContext) => AsyncIterable<MessageInitShape<Output>>
    : Service['method'][Name] extends {
          methodKind: 'unary'
          input: infer Input extends DescMethod['input']
          output: infer Output extends DescMethod['output']
        }
      ? (request: MessageShape<Input>, context: CallContext) => Promise<MessageInitShape<Output>>
      : never
}

export type GrpcServer = Readonly<{
  add: <Service extends DescService>(service: Service, handlers: Handlers<Service>) => void
  /** Listens and answers the port; 0 = any free one. */
  listen: (host: string, port: number) => Promise<number>
  /** Waits for open calls up to the grace time, then cuts them. */
  close: () => Promise<void>
}>

/** Largest message either way; a partial result of a million groups fits. */
export const GRPC_MESSAGE_BYTES_MAX = 64 << 20
/** Calls that one connection may have open: every slot of many tables has its own subscription. */
const GRPC_CALLS_PER_CONNECTION_MAX = 10_000
/** Trailers share one HTTP/2 header block, 16 KiB by default: more than these would lose the code as well. */
const ERROR_MESSAGE_LENGTH_MAX = 2_048
const ERROR_DETAILS_BYTES_MAX = 4_096
const CLOSE_GRACE_MS = 2_000
type AnyHandler = (request: unknown, context: CallContext) => unknown

/**
 * A gRPC server for protobuf-es services, with grpc.health.v1. Errors cross as `tn-code` and `tn-details-bin` trailers.
 * A stream that `close` cuts short ends with TN_SHUTTING_DOWN: a clean end would pass for a whole answer.
 * With `tls` its port takes plain text and certificates as their phase has it (tls-listener.ts).
 */
export function createGrpcServer(
  options: Readonly<{
    role: string
    log: Log
    registry: Registry
    health: Health
    tls?: TlsCredentials | undefined
  }>,
): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.max_concurrent_streams': GRPC_CALLS_PER_CONNECTION_MAX,
    'grpc.keepalive_time_ms': 3_000, // With the time-out: a peer that vanished is noticed within 5 s.
    'grpc.keepalive_timeout_ms': 2_000,
  })
  const metrics = createMetrics(options.role, options.registry)
  const streams: OpenStreams = { open: new Set(), ending: false }
  const add: GrpcServer['add'] = (service, handlers) => {
    const definition: Record<string, ServiceDefinition[string]> = {}
    const implementation: UntypedServiceImplementation = {}
    for (const method of service.methods) {
      const stream = method.methodKind === 'server_streaming'
      definition[method.name] = {
        path: `/${service.typeName}/${method.name}`,
        requestStream: false,
        responseStream: stream,
        requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
        requestDeserialize: (bytes) => fromBinary(method.input, bytes),
        responseSerialize: (message) => Buffer.from(toBinary(method.output, message)),
        responseDeserialize: (bytes) => fromBinary(method.output, bytes),
      }
      const handler = (handlers as Record<string, AnyHandler>)[method.localName] as AnyHandler
      const call = { method, handler, log: options.log, metrics, streams }
      implementation[method.name] = stream ? streaming(call) : unary(call)
    }
    server.addService(definition, implementation)
  }
  add(HealthService, healthHandlers(options.health))
  const { tls } = options
  const listener = tls === undefined ? undefined : listenerOf(server, tls, options, metrics)
  return {
    add,
    listen: (host, port) =>
      listener?.listen(host, port) ??
      new Promise((resolve, reject) => {
        server.bindAsync(hostAndPort(host, port), ServerCredentials.createInsecure(), (error, bound) => {
          if (error === null) resolve(bound)
          else reject(error)
        })
      }),
    close: async () => {
      streams.ending = true
      listener?.close()
      for (const stop of streams.open) stop.abort()
      await new Promise<void>((resolve) => {
        // Not left to tryShutdown alone: where a connection breaks at this very moment, it never answers (measured).
        const force = setTimeout(() => {
          server.forceShutdown()
          resolve()
        }, CLOSE_GRACE_MS)
        server.tryShutdown(() => {
          clearTimeout(force)
          resolve()
        })
      })
    },
  }
}

/** grpc-js cannot take both kinds on one port, nor exchange certificates: it gets connections from which TLS has been taken off. */
function listenerOf(
  server: Server,
  tls: TlsCredentials,
  { role, log }: Readonly<{ role: string; log: Log }>,
  metrics: ReturnType<typeof createMetrics>,
): TlsListener {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  return createTlsListener({
    tls,
    callers: OPEN_TO_CLIENTS.some((one) => one === role) ? 'anyone' : 'roles',
    onConnection: (socket) => injector.injectConnection(socket),
    onRefused: (reason, peer) => {
      metrics.refused.inc({ reason })
      log.debug({ reason, peer }, 'a connection was refused')
    },
  })
}

const hostAndPort = (host: string, port: number) => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`)

type Call = Readonly<{
  method: DescMethod
  handler: AnyHandler
  log: Log
  metrics: ReturnType<typeof createMetrics>
  streams: OpenStreams
}>
/** The server's streams, which have no end of their own: `close` aborts each. */
type OpenStreams = { readonly open: Set<AbortController>; ending: boolean }

function unary({ method, handler, log, metrics }: Call): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const cancelled = new AbortController()
    call.on('cancelled', () => cancelled.abort())
    const startedMs = performance.now()
    const done = (code: string) => {
      metrics.requests.inc({ method: method.name, code })
      metrics.seconds.observe({ method: method.name }, (performance.now() - startedMs) / 1_000)
    }
    const work = async () => handler(call.request, { signal: cancelled.signal, peer: call.getPeer() })
    work().then(
      (answer) => {
        done('OK')
        callback(null, create(method.output, answer as MessageInitShape<DescMethod['output']>))
      },
      (error: unknown) => {
        const failure = cancelled.signal.aborted ? CANCELLED : asFailure(error, method, log)
        done(failure.name)
        callback(failure)
      },
    )
  }
}

function streaming(options: Call): handleServerStreamingCall<unknown, unknown> {
  const { method, handler, log, metrics, streams } = options
  return (call) => {
    const stop = new AbortController()
    const { signal } = stop
    let cancelled = false
    const cancel = () => {
      cancelled = true
      stop.abort()
    }
    call.on('cancelled', cancel)
    call.on('error', cancel)
    streams.open.add(stop)
    if (streams.ending) stop.abort()
    call.sendMetadata(new Metadata()) // At once: whoever follows learns that the stream stands before anything happens.
    const run = async () => {
      const answers = handler(call.request, { signal, peer: call.getPeer() }) as Answers
      for await (const answer of untilAborted(answers, signal)) {
        if (!call.write(create(method.output, answer))) await drained(call, signal)
      }
    }
    const finish = (error?: unknown) => {
      streams.open.delete(stop)
      const cause = streams.ending ? shuttingDown() : error
      const failure = cancelled ? CANCELLED : cause === undefined ? undefined : asFailure(cause, method, log)
      metrics.requests.inc({ method: method.name, code: failure?.name ?? 'OK' })
      if (failure === undefined) call.end()
      else call.emit('error', failure)
    }
    run().then(
      () => finish(),
      (error: unknown) => finish(error ?? new Error('The handler threw nothing.')),
    )
  }
}

const shuttingDown = () => new TrueNowError('TN_SHUTTING_DOWN', 'This process is shutting down; ask another.')

type Answers = AsyncIterable<MessageInitShape<DescMethod['output']>>

/** Ends with `signal` even where the handler's iterator does not look at it, and tells that iterator to clean up. */
async function* untilAborted(answers: Answers, signal: AbortSignal): Answers {
  const iterator = answers[Symbol.asyncIterator]()
  let running = true
  try {
    while (!signal.aborted) {
      const result = await nextOrAborted(iterator, signal)
      if (result === undefined) return
      running = result.done !== true
      if (!running) return
      yield result.value
    }
  } catch (error) {
    running = false
    throw error
  } finally {
    if (running) iterator.return?.().then(undefined, () => {}) // Not awaited: it may hang in its own next().
  }
}

/** A listener a step, taken off again: racing one promise that lives as long as the call would keep every step alive. */
function nextOrAborted<Value>(
  iterator: AsyncIterator<Value>,
  signal: AbortSignal,
): Promise<IteratorResult<Value> | undefined> {
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(undefined)
    signal.addEventListener('abort', aborted, { once: true })
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', aborted))
  })
}

/** Waits until the subscriber took what was written: flow control, so that a slow one holds back only itself. */
function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    call.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}

type Failure = Error & { code: number; details: string; metadata: Metadata }
/** What a call ends with that its caller gave up: nobody reads it, and it is no fault of ours to log. */
const CANCELLED: Failure = Object.assign(new Error('The caller cancelled the call.'), {
  name: 'CANCELLED',
  code: status.CANCELLED,
  details: 'The caller cancelled the call.',
  metadata: new Metadata(),
})

/** The one failure that gRPC's own health protocol prescribes by status, not by a code of ours. */
class UnknownHealthService extends TrueNowError {}

function asFailure(error: unknown, method: DescMethod, log: Log): Failure {
  if (!(error instanceof TrueNowError)) log.error({ err: error, method: method.name }, 'call failed')
  const known =
    error instanceof TrueNowError
      ? error
      : new TrueNowError('TN_INTERNAL', 'The call failed inside; the log of that pod says why.', {
          cause: error,
        })
  const metadata = new Metadata()
  metadata.set('tn-code', known.code)
  const details = Buffer.from(JSON.stringify(known.details, bigintAsText), 'utf8')
  if (details.length <= ERROR_DETAILS_BYTES_MAX) metadata.set('tn-details-bin', details)
  const code = known instanceof UnknownHealthService ? status.NOT_FOUND : ERROR_CODES[known.code].grpcStatus
  const message = known.message.slice(0, ERROR_MESSAGE_LENGTH_MAX)
  return Object.assign(new Error(message), { name: known.code, code, details: message, metadata })
}

const bigintAsText = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

const createMetrics = (role: string, registry: Registry) => ({
  refused: new Counter({
    name: `${metricPrefix(role)}_grpc_refused_connections_total`,
    help: 'Connections refused for want of a certificate that may call: plain-text, handshake, certificate, role, silent.',
    labelNames: ['reason'] as const,
    registers: [registry],
  }),
  requests: new Counter({
    name: `${metricPrefix(role)}_grpc_requests_total`,
    help: 'gRPC calls by method and outcome (OK or an error code).',
    labelNames: ['method', 'code'] as const,
    registers: [registry],
  }),
  seconds: new Histogram({
    name: `${metricPrefix(role)}_grpc_request_seconds`,
    help: 'Time to answer a unary gRPC call.',
    labelNames: ['method'] as const,
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [registry],
  }),
})

function healthHandlers(health: Health): Handlers<typeof HealthService> {
  const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus
  const serving = () => (health.ready() && health.status().status !== 'unhealthy' ? SERVING : NOT_SERVING)
  return {
    check: async ({ service }) => {
      if (service === '') return { status: serving() }
      const message = `The health of '${service}' is not told apart; ask for the whole server with ''.`
      throw new UnknownHealthService('TN_REQUEST_INVALID', message, { details: { path: 'service' } })
    },
    watch: async function* ({ service }, { signal }) {
      let last: number | undefined
      while (!signal.aborted) {
        const changed = changedOrAborted(health, signal) // Before the look, so that no change falls between.
        const now = service === '' ? serving() : SERVICE_UNKNOWN
        if (now !== last) yield { status: now }
        last = now
        await changed
      }
    },
  }
}

function changedOrAborted(health: Health, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = health.onChange(done)
    function done() {
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}

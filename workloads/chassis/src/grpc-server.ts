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
import { Counter, Histogram, type Registry } from 'prom-client'
import type { Health } from './health.ts'
import type { Log } from './log.ts'
import { metricPrefix } from './metric-prefix.ts'

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
const CLOSE_GRACE_MS = 2_000
type AnyHandler = (request: unknown, context: CallContext) => unknown

/** A gRPC server for protobuf-es services, with grpc.health.v1. Errors cross as `tn-code` and `tn-details` trailers. */
export function createGrpcServer(
  options: Readonly<{ role: string; log: Log; registry: Registry; health: Health }>,
): GrpcServer {
  const server = new Server({
    'grpc.max_receive_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': GRPC_MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': 5_000,
    'grpc.keepalive_timeout_ms': 3_000,
    'grpc.keepalive_permit_without_calls': 1,
  })
  const metrics = createMetrics(options.role, options.registry)
  const ending = new AbortController()
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
      const call = { method, handler, log: options.log, metrics, ending: ending.signal }
      implementation[method.name] = stream ? streaming(call) : unary(call)
    }
    server.addService(definition, implementation)
  }
  add(HealthService, healthHandlers(options.health))
  return {
    add,
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
          if (error === null) resolve(bound)
          else reject(error)
        })
      }),
    close: async () => {
      ending.abort()
      const force = setTimeout(() => server.forceShutdown(), CLOSE_GRACE_MS)
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
      clearTimeout(force)
    },
  }
}

type Call = Readonly<{
  method: DescMethod
  handler: AnyHandler
  log: Log
  metrics: ReturnType<typeof createMetrics>
  ending: AbortSignal
}>

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
        const failure = asFailure(error, method, log)
        done(failure.name)
        callback(failure)
      },
    )
  }
}

function streaming({
  method,
  handler,
  log,
  metrics,
  ending,
}: Call): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    const cancelled = new AbortController()
    call.on('cancelled', () => cancelled.abort())
    call.on('error', () => cancelled.abort())
    const signal = AbortSignal.any([cancelled.signal, ending])
    const run = async () => {
      const answers = handler(call.request, { signal, peer: call.getPeer() }) as AsyncIterable<
        MessageInitShape<DescMethod['output']>
      >
      for await (const answer of answers) {
        if (signal.aborted) break
        if (!call.write(create(method.output, answer))) await drained(call, signal)
      }
    }
    run().then(
      () => {
        metrics.requests.inc({ method: method.name, code: 'OK' })
        call.end()
      },
      (error: unknown) => {
        const failure = signal.aborted ? undefined : asFailure(error, method, log)
        metrics.requests.inc({ method: method.name, code: failure?.name ?? 'OK' })
        if (failure === undefined) call.end()
        else call.emit('error', failure)
      },
    )
  }
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
  metadata.set('tn-details-bin', Buffer.from(JSON.stringify(known.details), 'utf8'))
  const code = ERROR_CODES[known.code].grpcStatus
  return Object.assign(new Error(known.message), { name: known.code, code, details: known.message, metadata })
}

const createMetrics = (role: string, registry: Registry) => ({
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
  const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus
  const serving = () => (health.ready() && health.status().status !== 'unhealthy' ? SERVING : NOT_SERVING)
  const known = (service: string) => {
    if (service === '') return
    throw Object.assign(
      new TrueNowError('TN_REQUEST_INVALID', `Health of '${service}' is not told apart; ask for ''.`),
      {
        code: status.NOT_FOUND,
      },
    )
  }
  return {
    check: async ({ service }) => {
      known(service)
      return { status: serving() }
    },
    watch: async function* (_request, { signal }) {
      let last: number | undefined
      while (!signal.aborted) {
        const now = serving()
        if (now !== last) yield { status: now }
        last = now
        await changedOrAborted(health, signal)
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

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
  type ClientReadableStream,
  type ClientUnaryCall,
  connectivityState,
  Client as GrpcJsClient,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { ERROR_CODES, type ErrorCode, TrueNowError } from '@truenow/contracts/errors.ts'
import { ROLE_OF_SERVICE } from '@truenow/contracts/role-calls.ts'
import { channelCredentials } from './channel-credentials.ts'
import type { TlsCredentials } from './tls-credentials.ts'

export type CallOptions = Readonly<{
  signal?: AbortSignal
  timeoutMs?: number
  /** Streams only: the server took the call; its first message may be long in coming. */
  onOpen?: () => void
}>
type CallsOf<Service extends DescService> = {
  [Name in keyof Service['method']]: Service['method'][Name] extends {
    methodKind: 'server_streaming'
    input: infer Input extends DescMethod['input']
    output: infer Output extends DescMethod['output']
  }
    ? (request: MessageInitShape<Input>, options?: CallOptions) => AsyncIterable<MessageShape<Output>>
    : Service['method'][Name] extends {
          methodKind: 'unary'
          input: infer Input extends DescMethod['input']
          output: infer Output extends DescMethod['output']
        }
      ? (request: MessageInitShape<Input>, options?: CallOptions) => Promise<MessageShape<Output>>
      : never
}
/** A typed client: one function a method, and `close`. */
export type Client<Service extends DescService> = Readonly<CallsOf<Service> & { close: () => void }>

const MESSAGE_BYTES_MAX = 64 << 20
/**
 * Bytes that a stream may be sent before its reader says go on: what a reader that stands still costs, too. With HTTP/2's own
 * 64 KiB a block of 400 KB takes seven turns of both event loops, and a shard that also scans hears of too few blocks.
 */
const FLOW_CONTROL_BYTES = 1 << 20
const UNARY_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 3_000
/** A warm connection is looked at so often: one look is a property of an object in this process. */
const WARM_LOOK_MS = 500
/** Streams without an end are cut so long after newer certificates came, at most: what they carried goes on over a new connection. */
const STREAM_GRACE_MS = 30_000

/**
 * Connects to one peer, lazily, and again after a failure (100 ms to 2 s apart, its name resolved anew, so that a
 * restarted pod is found soon, also at another address). A unary call has 10 s unless `timeoutMs` says otherwise, a
 * stream has no end. Errors: the TrueNowError that the server threw; TN_PEER_UNAVAILABLE when nothing answered in
 * time, also when the peer vanished without a word (noticed within 5 s). Aborting `signal` cancels the call on the
 * server as well: a unary call then rejects with the abort's reason if that is a TrueNowError, else with
 * TN_PEER_UNAVAILABLE; a stream just ends.
 * With `tls` it follows its certificates and its phase: a change makes a new connection for the calls from then on, those
 * under way with a deadline end on the old one, and streams without one fail with TN_PEER_UNAVAILABLE within 30 s.
 * With `warm` it connects at once, and again whenever the connection is lost, called or not: otherwise the first call after a
 * pod came back at another address waits for a connection to the old one, 3 s, and fails.
 */
export function createGrpcClient<Service extends DescService>(
  service: Service,
  address: string,
  tls?: TlsCredentials,
  { warm = false }: Readonly<{ warm?: boolean }> = {},
): Client<Service> {
  const connection = createConnection(service, address, tls, warm)
  const calls: Record<string, unknown> = { close: connection.close }
  for (const method of service.methods) {
    const target = { connection, address, method, path: `/${service.typeName}/${method.name}` }
    calls[method.localName] = method.methodKind === 'server_streaming' ? stream(target) : unary(target)
  }
  return calls as Client<Service>
}

type Connection = Readonly<{
  /**
   * One call on the connection of now, given up if that is still being made CONNECT_TIMEOUT_MS from now. `cut` is called when
   * it should be made anew elsewhere; without it the connection waits for the end of the call.
   */
  begin: (cut?: () => void) => Begun
  close: () => void
}>
type Begun = Readonly<{
  client: GrpcJsClient
  /** The server took the call: it is connected. */
  connected: () => void
  end: () => void
}>
type Line = {
  readonly client: GrpcJsClient
  /** Of each stream without an end, and when that happens. */
  readonly cuts: Map<() => void, NodeJS.Timeout | undefined>
  calls: number
  retired: boolean
}

/**
 * grpc-js waits for a SYN into nowhere, or for a peer that accepts and stays silent, as long as the kernel does. It
 * cannot close what it is still opening: a frozen peer keeps one unused socket an attempt, at most its backlog (511).
 */
function createConnection(
  service: DescService,
  address: string,
  tls: TlsCredentials | undefined,
  warm: boolean,
): Connection {
  const open = (): Line => {
    const { credentials, options } = channelCredentials(tls?.current(), ROLE_OF_SERVICE[service.typeName])
    const client = new GrpcJsClient(address, credentials, { ...CHANNEL_OPTIONS, ...options })
    return { client, cuts: new Map(), calls: 0, retired: false }
  }
  let line = open()
  let closed = false
  const closeIfIdle = (one: Line) => {
    if (one.retired && one.calls === 0) one.client.close()
  }
  const stop = tls?.onChange(() => {
    const old = line
    line = open()
    retire(old)
    closeIfIdle(old)
  })
  let connectingSinceMs: number | undefined
  const keepWarm = () => {
    if (line.client.getChannel().getConnectivityState(true) !== connectivityState.CONNECTING) {
      connectingSinceMs = undefined
      return
    }
    connectingSinceMs ??= performance.now()
    if (line.calls > 0 || performance.now() - connectingSinceMs < CONNECT_TIMEOUT_MS) return
    connectingSinceMs = undefined
    line.client.close()
    line = open()
  }
  const warming = warm ? setInterval(keepWarm, WARM_LOOK_MS) : undefined
  return {
    begin: (cut) => {
      const taken = line
      taken.calls += 1
      if (cut !== undefined) taken.cuts.set(cut, undefined)
      const state = () => taken.client.getChannel().getConnectivityState(false)
      const giveUp = () => {
        if (closed || taken.retired || state() !== connectivityState.CONNECTING) return
        taken.retired = true
        line = open()
        taken.client.close() // The calls that wait on it fail now.
      }
      const isReady = closed || state() === connectivityState.READY
      const timer = isReady ? undefined : setTimeout(giveUp, CONNECT_TIMEOUT_MS)
      const connected = () => clearTimeout(timer)
      return {
        client: taken.client,
        connected,
        end: () => {
          connected()
          taken.calls -= 1
          if (cut !== undefined) {
            clearTimeout(taken.cuts.get(cut))
            taken.cuts.delete(cut)
          }
          closeIfIdle(taken)
        },
      }
    },
    close: () => {
      closed = true
      clearInterval(warming)
      stop?.()
      line.client.close()
    },
  }
}

/** Lets a connection go whose certificates are no longer the newest; not all streams at once, lest all come back at once. */
function retire(old: Line): void {
  old.retired = true
  for (const cut of old.cuts.keys())
    old.cuts.set(cut, setTimeout(cut, STREAM_GRACE_MS * (0.5 + Math.random() / 2)))
}

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.dns_min_time_between_resolutions_ms': 500, // Default 30 s: a pod that came back elsewhere stays lost.
  'grpc.service_config_disable_resolution': 1, // A TXT query a name, for settings that nobody publishes.
  'grpc.enable_http_proxy': 0, // Our peers are inside the cluster, whatever http_proxy says.
  'grpc.keepalive_time_ms': 3_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
}

type Target = Readonly<{ connection: Connection; address: string; method: DescMethod; path: string }>
type Request = MessageInitShape<DescMethod['input']>

function unary({ connection, address, method, path }: Target) {
  return (request: Request, { signal, timeoutMs = UNARY_TIMEOUT_MS }: CallOptions = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(givenUp(signal, address, method.name))
      const settle = (error: ServiceError | Error | null, answer?: unknown) => {
        begun?.end()
        signal?.removeEventListener('abort', cancel)
        if (error === null) return resolve(answer)
        reject(
          signal?.aborted === true
            ? givenUp(signal, address, method.name)
            : asTrueNowError(error, address, method.name),
        )
      }
      let call: ClientUnaryCall | undefined
      let begun: Begun | undefined
      const cancel = () => call?.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
      try {
        begun = connection.begin()
        call = begun.client.makeUnaryRequest(
          path,
          (message: MessageShape<DescMethod['input']>) => Buffer.from(toBinary(method.input, message)),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          create(method.input, request),
          { deadline: Date.now() + timeoutMs },
          settle,
        )
      } catch (error) {
        settle(error as Error) // A closed client says so by throwing.
      }
    })
}

function stream({ connection, address, method, path }: Target) {
  return async function* (request: Request, { signal, timeoutMs, onOpen }: CallOptions = {}) {
    const isAborted = () => signal?.aborted === true
    if (isAborted()) return
    let call: ClientReadableStream<unknown> | undefined
    const cancel = () => call?.cancel()
    const begun = connection.begin(timeoutMs === undefined ? cancel : undefined)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      call = begun.client.makeServerStreamRequest(
        path,
        (message: MessageShape<DescMethod['input']>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
      )
      call.on('metadata', () => {
        begun.connected()
        onOpen?.()
      })
      for await (const message of call) yield message
    } catch (error) {
      if (!isAborted()) throw asTrueNowError(error as ServiceError, address, method.name)
    } finally {
      begun.end()
      signal?.removeEventListener('abort', cancel)
      call?.on('error', () => {}) // A cancelled call still reports that it was; nobody waits for it any more.
      call?.cancel()
    }
  }
}

function givenUp(signal: AbortSignal, address: string, method: string): TrueNowError {
  if (signal.reason instanceof TrueNowError) return signal.reason
  const message = `${method} of ${address} was given up before it answered.`
  return new TrueNowError('TN_PEER_UNAVAILABLE', message, { cause: signal.reason, details: { address } })
}

function asTrueNowError(error: ServiceError | Error, address: string, method: string): TrueNowError {
  const service = 'metadata' in error ? error : undefined
  const code = service?.metadata?.get('tn-code')[0]?.toString()
  if (service !== undefined && code !== undefined && Object.hasOwn(ERROR_CODES, code)) {
    const details = parsedDetails(service.metadata.get('tn-details-bin')[0])
    return new TrueNowError(code as ErrorCode, service.details, { cause: error, details })
  }
  const what = service === undefined ? '' : `${status[service.code] ?? 'UNKNOWN'} `
  const message = `${address} did not answer ${method}: ${what}${service?.details ?? error.message}`
  return new TrueNowError('TN_PEER_UNAVAILABLE', message, {
    cause: error,
    details: { address, ...(service === undefined ? {} : { grpcStatus: service.code }) },
  })
}

function parsedDetails(value: unknown): Readonly<Record<string, unknown>> {
  try {
    return Buffer.isBuffer(value) ? (JSON.parse(value.toString('utf8')) as Record<string, unknown>) : {}
  } catch {
    return {} // The code is what matters; a peer that garbles the rest must not hide it.
  }
}

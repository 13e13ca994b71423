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
  credentials,
  Client as GrpcJsClient,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { ERROR_CODES, type ErrorCode, TrueNowError } from '@truenow/contracts/errors.ts'

export type CallOptions = Readonly<{ signal?: AbortSignal; timeoutMs?: number }>
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
const UNARY_TIMEOUT_MS = 10_000

/**
 * Connects to one peer, lazily, and again after a failure (100 ms to 2 s apart, so that a restarted pod is found soon).
 * Errors: the TrueNowError that the server threw; TN_PEER_UNAVAILABLE when nothing answered in time. Aborting `signal`
 * cancels the call on the server as well.
 */
export function createGrpcClient<Service extends DescService>(
  service: Service,
  address: string,
): Client<Service> {
  const client = new GrpcJsClient(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.min_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.keepalive_time_ms': 5_000,
    'grpc.keepalive_timeout_ms': 3_000,
    'grpc.use_local_subchannel_pool': 1,
  })
  const calls: Record<string, unknown> = { close: () => client.close() }
  for (const method of service.methods) {
    const path = `/${service.typeName}/${method.name}`
    calls[method.localName] =
      method.methodKind === 'server_streaming'
        ? stream(client, path, method, address)
        : unary(client, path, method, address)
  }
  return calls as Client<Service>
}

function unary(client: GrpcJsClient, path: string, method: DescMethod, address: string) {
  return (request: MessageInitShape<DescMethod['input']>, options: CallOptions = {}) =>
    new Promise((resolve, reject) => {
      options.signal?.throwIfAborted()
      const deadline = Date.now() + (options.timeoutMs ?? UNARY_TIMEOUT_MS)
      const call = client.makeUnaryRequest(
        path,
        (message: MessageShape<DescMethod['input']>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        { deadline },
        (error, answer) => {
          options.signal?.removeEventListener('abort', cancel)
          if (error === null) resolve(answer)
          else reject(asTrueNowError(error, address, method.name))
        },
      )
      const cancel = () => call.cancel()
      options.signal?.addEventListener('abort', cancel, { once: true })
    })
}

function stream(client: GrpcJsClient, path: string, method: DescMethod, address: string) {
  return async function* (request: MessageInitShape<DescMethod['input']>, options: CallOptions = {}) {
    options.signal?.throwIfAborted()
    const call: ClientReadableStream<unknown> = client.makeServerStreamRequest(
      path,
      (message: MessageShape<DescMethod['input']>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, request),
      options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs },
    )
    const cancel = () => call.cancel()
    options.signal?.addEventListener('abort', cancel, { once: true })
    try {
      for await (const message of call) yield message
    } catch (error) {
      if (options.signal?.aborted !== true) throw asTrueNowError(error as ServiceError, address, method.name)
    } finally {
      options.signal?.removeEventListener('abort', cancel)
      call.on('error', () => {}) // A cancelled call still reports that it was; nobody waits for it any more.
      call.cancel()
    }
  }
}

function asTrueNowError(error: ServiceError, address: string, method: string): TrueNowError {
  const code = error.metadata?.get('tn-code')[0]?.toString()
  if (code !== undefined && code in ERROR_CODES) {
    const details = error.metadata.get('tn-details-bin')[0]
    const parsed = Buffer.isBuffer(details)
      ? (JSON.parse(details.toString('utf8')) as Record<string, unknown>)
      : {}
    return new TrueNowError(code as ErrorCode, error.details, { cause: error, details: parsed })
  }
  const what = status[error.code] ?? 'UNKNOWN'
  const message = `${address} did not answer ${method}: ${what} ${error.details ?? error.message}`
  return new TrueNowError('TN_PEER_UNAVAILABLE', message, { cause: error, details: { address } })
}

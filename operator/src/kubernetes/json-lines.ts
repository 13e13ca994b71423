import { KubernetesError } from './kubernetes-port.ts'

/** etcd holds no object above 1.5 MB; JSON and both ends of a conversion leave room. */
const LINE_BYTES_MAX = 16 * 2 ** 20

/**
 * The JSON values of a stream, one a line. Errors: KubernetesError with reason Unreadable for a line that is no JSON, above
 * all one that the connection's end cut off: it must be asked for again and never be passed over.
 */
export async function* jsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let parts: string[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    const lines = decoder.decode(chunk, { stream: true }).split('\n')
    for (const line of lines.slice(0, -1)) {
      parts.push(line)
      const whole = parts.join('')
      parts = []
      bytes = 0
      if (whole.trim() !== '') yield parse(whole)
    }
    parts.push(lines.at(-1) ?? '')
    if (bytes > LINE_BYTES_MAX) throw unreadable(`a line of more than ${LINE_BYTES_MAX} bytes`)
  }
  const rest = parts.join('') + decoder.decode()
  if (rest.trim() !== '') yield parse(rest)
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw unreadable(`no JSON line: ${line.slice(0, 100)}`, { cause: error })
  }
}

const unreadable = (message: string, options?: ErrorOptions): KubernetesError =>
  new KubernetesError(message, { status: 0, reason: 'Unreadable' }, options)

import type { X509Certificate } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { ROLE_CALLS } from '@truenow/contracts/role-calls.ts'
import { identityOf } from './certificate-identity.ts'
import { secureContextOptions, type TlsCredentials, type TlsMaterial } from './tls-credentials.ts'

/** Why a connection was not taken. */
export type Refusal = 'plain-text' | 'handshake' | 'certificate' | 'role' | 'silent'
export type TlsListener = Readonly<{
  /** Listens and answers the port; 0 = any free one. */
  listen: (host: string, port: number) => Promise<number>
  /** Takes no more connections; those there are stay. */
  close: () => void
}>

/** First octet of a TLS connection: the handshake record. HTTP/2 in plain text begins with a P. */
const HANDSHAKE_RECORD = 0x16
/** For the first octet to come, and for the handshake to end. */
const HANDSHAKE_MS_MAX = 10_000
const CONNECTIONS_MAX = 10_000

/**
 * One port for TLS 1.3 and plain text, told apart by the first octet, so that a cluster may change between them while it
 * answers. With `callers: 'roles'` a connection must show a certificate of our own cluster whose role may call this one, and
 * in phase `require` plain text is refused and cut; with 'anyone' both are taken in every phase, and nobody must show one.
 * Sessions cannot be resumed: a caller is judged by today's certificates.
 */
export function createTlsListener(
  options: Readonly<{
    tls: TlsCredentials
    callers: 'roles' | 'anyone'
    /** Gets every connection that was taken, with TLS already taken off. */
    onConnection: (socket: Socket) => void
    onRefused: (why: Refusal, peer: string) => void
  }>,
): TlsListener {
  const { tls, callers, onConnection, onRefused } = options
  const plain = new Set<Socket>()
  const refuse = (socket: Socket, why: Refusal) => {
    onRefused(why, socket.remoteAddress ?? 'unknown')
    socket.destroy()
  }
  const secure = createTlsServer({
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_MS_MAX,
    requestCert: callers === 'roles',
    rejectUnauthorized: callers === 'roles',
    secureOptions: NO_TICKETS,
  })
  secure.on('tlsClientError', (error, socket) => refuse(socket, whyOf(error)))
  secure.on('secureConnection', (socket: TLSSocket) => {
    const material = tls.current()
    if (callers === 'roles' && !mayCall(material, socket.getPeerX509Certificate())) refuse(socket, 'role')
    else onConnection(socket)
  })
  const takePlain = (socket: Socket) => {
    if (callers === 'roles' && tls.current()?.phase === 'require') return refuse(socket, 'plain-text')
    plain.add(socket)
    socket.once('close', () => plain.delete(socket))
    onConnection(socket)
  }
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {}) // A peer that leaves during the first octet is no news.
    firstOctet(socket, (octet) => {
      if (octet === undefined) refuse(socket, 'silent')
      else if (octet === HANDSHAKE_RECORD) secure.emit('connection', socket)
      else takePlain(socket)
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  const take = (material: TlsMaterial) => {
    secure.setSecureContext({ ...secureContextOptions(material.files), secureOptions: NO_TICKETS })
    if (callers === 'roles' && material.phase === 'require') for (const socket of plain) socket.destroy()
  }
  const material = tls.current()
  if (material !== undefined) take(material)
  const stop = tls.onChange(take)
  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          const address = server.address()
          resolve(typeof address === 'object' && address !== null ? address.port : port)
        })
      }),
    close: () => {
      stop()
      server.close()
    },
  }
}

/** SSL_OP_NO_TICKET. Without it a session from before a rotation would be believed without a look at its certificate. */
const NO_TICKETS = 0x4000

/** Tells the first octet without taking it; undefined: none came in time. A peer that leaves before is not told of. */
function firstOctet(socket: Socket, tell: (octet: number | undefined) => void): void {
  const late = setTimeout(() => end(undefined), HANDSHAKE_MS_MAX)
  function end(octet: number | undefined) {
    clearTimeout(late)
    socket.off('readable', look)
    socket.off('close', gone)
    tell(octet)
  }
  function look() {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    socket.unshift(chunk)
    end(chunk[0])
  }
  function gone() {
    clearTimeout(late)
  }
  socket.on('readable', look)
  socket.once('close', gone)
}

/** May the bearer call us: a role of this very cluster that does so. */
function mayCall(material: TlsMaterial | undefined, shown: X509Certificate | undefined): boolean {
  const caller = shown === undefined ? undefined : identityOf(shown)
  if (material === undefined || caller === undefined) return false
  const { namespace, cluster, role } = material.identity
  return (
    caller.namespace === namespace &&
    caller.cluster === cluster &&
    ROLE_CALLS.some(([from, to]) => from === caller.role && to === role)
  )
}

const whyOf = (error: Error): Refusal =>
  /certificate|CERT|SELF_SIGNED|VERIFY/i.test(`${(error as NodeJS.ErrnoException).code} ${error.message}`)
    ? 'certificate'
    : 'handshake'

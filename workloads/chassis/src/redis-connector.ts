import { connect as connectPlain } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { AbstractConnector } from 'ioredis'

/** What ioredis makes of a URL and of its own defaults. */
type RedisAddress = Readonly<{
  host: string
  port: number
  family: number
  /** That of a Unix socket, in place of host and port. */
  path?: string
  /** `true` for `rediss:` without more. */
  tls?: ConnectionOptions | true
  disconnectTimeout: number
}>

/**
 * Opens the connections of ioredis as it does itself, and listens to every error of theirs. ioredis listens to the first: after a
 * certificate that is refused Redis may send an alert, which is a second one, and an error without a listener ends the process.
 */
export class RedisConnector extends AbstractConnector {
  private readonly address: RedisAddress

  /** `options`: those of the client. */
  constructor(options: unknown) {
    const address = options as RedisAddress
    super(address.disconnectTimeout)
    this.address = address
  }

  async connect() {
    const { host, port, family, path, tls } = this.address
    const where = path === undefined ? { host, port, family } : { path }
    this.stream =
      tls === undefined ? connectPlain(where) : connectTls({ ...where, ...(tls === true ? {} : tls) })
    this.stream.once('error', (error) => {
      this.firstError = error
    })
    this.stream.on('error', () => {}) // Whoever must know heard of the first.
    return this.stream
  }
}

import { connect } from 'node:http2'

/*
 * What every role must answer on its two ports, asked from inside the cluster's network: `/health`, `/livez`, `/readyz`,
 * `/metrics`, and grpc.health.v1 by hand over HTTP/2. Takes `host:http:grpc` arguments; prints one JSON line an address.
 */
export type Probed = Readonly<{
  address: string
  pages: Readonly<Record<string, Readonly<{ status: number; type: string; body: string }>>>
  /** Bytes of HealthCheckResponse in hexadecimal; `0801` is SERVING. And the call's grpc-status. */
  grpc: Readonly<{ status: string; response: string }>
}>
const PAGES = ['/health', '/livez', '/readyz', '/metrics']
const TIMEOUT_MS = 10_000

async function page(url: string) {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, type, body: await response.text() }
}

/** One unary call with an empty request: the health of the whole server. */
function grpcHealth(authority: string): Promise<Probed['grpc']> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${authority}`).on('error', reject)
    const call = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let status = ''
    const chunks: Buffer[] = []
    call.setTimeout(TIMEOUT_MS, () => reject(new Error(`${authority}: grpc.health.v1 did not answer`)))
    for (const event of ['response', 'trailers'] as const)
      call.on(event, (headers: Readonly<Record<string, unknown>>) => {
        if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'])
      })
    call.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
    call.on('end', () => {
      session.close()
      resolve({ status, response: Buffer.concat(chunks).subarray(5).toString('hex') }) // Flag and length first.
    })
    call.end(Buffer.alloc(5)) // Not compressed, no bytes.
  })
}

for (const address of process.argv.slice(2)) {
  const [host, http, grpc] = address.split(':')
  const pages = Object.fromEntries(
    await Promise.all(
      PAGES.map(async (path) => [path, await page(`http://${host}:${http}${path}`)] as const),
    ),
  )
  const probed: Probed = { address, pages, grpc: await grpcHealth(`${host}:${grpc}`) }
  console.log(JSON.stringify(probed))
}

import { createServer } from 'node:net'

/** Below those that the kernel gives outgoing connections (32,768 on): one of these took a port before its owner listened. */
const PORT_MIN = 20_000
const PORTS = 12_000

/** A loopback port that was free a moment ago: for peers that must know an address before its owner listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * PORTS)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

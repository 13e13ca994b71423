import { Resolver } from 'node:dns/promises'
import { rmSync } from 'node:fs'
import { connect, createServer, isIP, type Server, type Socket } from 'node:net'
import { clusterNetwork } from '../cluster-network.ts'

const requestBytesMax = 512

/**
 * The door into the instance's network: a unix socket, because sockets in the file system cross network
 * namespaces. Whoever connects first writes one line `<name or address>:<port>`, then talks to that.
 */
export function serveRelay(socketPath: string, log: (line: string) => void): Server {
  const resolver = new Resolver({ timeout: 1_000, tries: 3 })
  resolver.setServers([clusterNetwork.dnsService])
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    readLine(socket)
      .then(async (line) => {
        const at = line.lastIndexOf(':')
        const name = line.slice(0, at)
        const host = isIP(name) ? name : (await resolver.resolve4(name))[0]
        if (host === undefined) throw new Error(`${name} has no address`)
        join(socket, connect({ host, port: Number(line.slice(at + 1)), allowHalfOpen: true }))
      })
      .catch((error: Error) => {
        log(`relay: ${error.message}`)
        socket.destroy()
      })
  })
  rmSync(socketPath, { force: true })
  server.listen(socketPath)
  return server
}

function join(left: Socket, right: Socket): void {
  left.setNoDelay()
  right.setNoDelay()
  const end = () => {
    left.destroy()
    right.destroy()
  }
  left.on('error', end)
  right.on('error', end)
  left.on('close', end)
  right.on('close', end)
  left.pipe(right)
  right.pipe(left)
}

/** Takes the first line off a socket and gives back what came after it. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk])
      const end = seen.indexOf(10)
      if (end < 0 && seen.length <= requestBytesMax) return
      socket.off('data', onData)
      socket.pause()
      if (end < 0) return reject(new Error('no line in the first bytes'))
      socket.unshift(seen.subarray(end + 1))
      resolve(seen.subarray(0, end).toString())
    }
    socket.on('data', onData)
    socket.on('close', () => reject(new Error('closed before its first line')))
  })
}

import { createServer } from 'node:net'
import { pollUntil } from './poll-until.ts'

/**
 * A lock that the kernel frees when its holder dies, however it dies: an abstract unix socket. A lock file
 * would outlive a kill -9. Waits for the holder up to `timeoutMs`; answers the function that frees it.
 */
export async function machineLock(
  name: string,
  timeoutMs: number,
  onWait: () => void = () => {},
): Promise<() => Promise<void>> {
  let told = false
  const server = await pollUntil(
    `lock ${name}, held by another process of this checkout`,
    timeoutMs,
    async () => {
      const bound = await bindAbstract(name)
      if (bound === undefined && !told) {
        told = true
        onWait()
      }
      return bound
    },
    200,
  )
  return () => new Promise((closed) => server.close(() => closed()))
}

function bindAbstract(name: string) {
  return new Promise<ReturnType<typeof createServer> | undefined>((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(`\0${name}`, () => resolve(server))
  })
}

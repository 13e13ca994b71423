import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { libraryDirectories, unpackPackages } from '../../../../e2e/cluster/debian/unpack-packages.ts'
import { checkoutHash } from '../../../../e2e/cluster/instance-layout.ts'
import { machineLock } from '../../../../e2e/cluster/machine-lock.ts'
import { freePort } from '../free-port.ts'
import type { Issued } from '../issue-certificate.ts'
import { checkout, type ServerProcess, startServer, temporaryDirectory } from './server-process.ts'

const DOWNLOAD_WAIT_MS = 600_000

/** Starts a real Redis 7 on a free loopback port, from Debian's package unpacked into `.cache`. With a certificate it takes TLS only. */
export async function startRedis(
  options: Readonly<{ certificate?: Issued }> = {},
): Promise<ServerProcess & { url: string }> {
  const free = await machineLock(`truenow-build-${checkoutHash(checkout)}`, DOWNLOAD_WAIT_MS)
  const unpacked = await unpackPackages(checkout, 'redis', []).finally(free)
  const directory = temporaryDirectory('redis')
  const port = await freePort()
  const { certificate } = options
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  if (certificate === undefined) settings.push('--port', String(port))
  else {
    const [cert, key] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')]
    writeFileSync(cert, certificate.certificatePem)
    writeFileSync(key, certificate.keyPem)
    settings.push('--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no')
    settings.push('--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert)
  }
  const command = [join(unpacked, 'usr/bin/redis-server'), ...settings]
  const environment = { LD_LIBRARY_PATH: libraryDirectories(unpacked).join(':') }
  const server = await startServer({ name: 'Redis', command, directory, port, environment })
  return {
    ...server,
    url: certificate === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`,
  }
}

import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { libraryDirectories, unpackPackages } from '../../../../e2e/cluster/debian/unpack-packages.ts'
import { checkoutHash } from '../../../../e2e/cluster/instance-layout.ts'
import { machineLock } from '../../../../e2e/cluster/machine-lock.ts'
import { freePort } from '../free-port.ts'
import type { Issued } from '../issue-certificate.ts'
import {
  asUnprivileged,
  checkout,
  type ServerProcess,
  startServer,
  temporaryDirectory,
} from './server-process.ts'

const DOWNLOAD_WAIT_MS = 600_000
const INSTALLED = '/usr/lib/postgresql/15/bin'

/**
 * Starts a real PostgreSQL 15 on a free loopback port: the installed one, else Debian's package unpacked into `.cache`. With a
 * certificate it takes TLS too, beside plain text.
 */
export async function startPostgres(
  options: Readonly<{ certificate?: Issued }> = {},
): Promise<ServerProcess & { url: string }> {
  const { programs, environment } = await postgresPrograms()
  const directory = temporaryDirectory('postgres', true)
  const data = join(directory, 'data')
  const init = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'truenow', '--encoding=UTF8', '--locale=C', '--auth=trust', '--no-sync'],
    { encoding: 'utf8', env: { ...process.env, ...environment }, ...asUnprivileged() },
  )
  if (init.status !== 0) throw new Error(`initdb failed: ${init.stderr}${init.error ?? ''}`)
  const port = await freePort()
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    fsync: 'off',
  }
  if (options.certificate !== undefined) {
    const files = { ssl_cert_file: options.certificate.certificatePem, ssl_key_file: options.certificate.keyPem } // biome-ignore format: one line
    for (const [name, pem] of Object.entries(files)) {
      const path = join(directory, `${name}.pem`)
      writeFileSync(path, pem, { mode: 0o600 })
      const { uid, gid } = asUnprivileged()
      if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
      settings[name] = path
    }
    settings.ssl = 'on'
  }
  const command = [join(programs, 'postgres'), '-D', data]
  for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`)
  const server = await startServer({
    name: 'PostgreSQL',
    command,
    directory,
    port,
    environment,
    unprivileged: true,
  })
  return { ...server, url: `postgres://truenow@127.0.0.1:${port}/postgres` }
}

async function postgresPrograms(): Promise<{ programs: string; environment: Record<string, string> }> {
  if (existsSync(join(INSTALLED, 'postgres'))) return { programs: INSTALLED, environment: {} }
  const free = await machineLock(`truenow-build-${checkoutHash(checkout)}`, DOWNLOAD_WAIT_MS)
  const unpacked = await unpackPackages(checkout, 'postgres', []).finally(free)
  const environment = { LD_LIBRARY_PATH: libraryDirectories(unpacked).join(':') }
  return { programs: join(unpacked, INSTALLED.slice(1)), environment }
}

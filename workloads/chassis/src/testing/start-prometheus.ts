import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackPackages } from '../../../../e2e/cluster/debian/unpack-packages.ts'
import { checkoutHash } from '../../../../e2e/cluster/instance-layout.ts'
import { machineLock } from '../../../../e2e/cluster/machine-lock.ts'
import { eventually } from '../../../../e2e/eventually.ts'
import { freePort } from '../free-port.ts'
import { checkout, type ServerProcess, startServer, temporaryDirectory } from './server-process.ts'

const DOWNLOAD_WAIT_MS = 600_000
const READY_WAIT_MS = 60_000

/** `prometheus` and `promtool` of Debian's package, unpacked into `.cache`; answers their directory. */
export async function prometheusPrograms(): Promise<string> {
  const free = await machineLock(`truenow-build-${checkoutHash(checkout)}`, DOWNLOAD_WAIT_MS)
  const unpacked = await unpackPackages(checkout, 'prometheus', []).finally(free)
  return join(unpacked, 'usr/bin')
}

/** Starts a real Prometheus 2.42 on a free loopback port. Both are what its YAML files say; JSON is YAML. */
export async function startPrometheus(
  config: Readonly<Record<string, unknown>>,
  rules: Readonly<{ groups: readonly unknown[] }>,
): Promise<ServerProcess & { url: string }> {
  const programs = await prometheusPrograms()
  const directory = temporaryDirectory('prometheus')
  const port = await freePort()
  const [configFile, rulesFile] = [join(directory, 'prometheus.yml'), join(directory, 'rules.yml')]
  writeFileSync(rulesFile, JSON.stringify(rules))
  writeFileSync(configFile, JSON.stringify({ ...config, rule_files: [rulesFile] }))
  const command = [
    join(programs, 'prometheus'),
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const server = await startServer({ name: 'Prometheus', command, directory, port })
  const url = `http://127.0.0.1:${port}`
  // It listens before its storage is open, and answers 503 until then.
  await eventually('Prometheus is ready', READY_WAIT_MS, async () => {
    const { ok, status } = await fetch(`${url}/-/ready`)
    return ok ? undefined : `it answers ${status}`
  })
  return { ...server, url }
}

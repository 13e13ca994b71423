import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { serveRelay } from './serve-relay.ts'
import { provisionVolumes } from './volume-provisioner.ts'

/** The instance's own helper, on the host's files and in the instance's network: volumes and the relay. */
const [pki, volumes, nodeVolumes, socketPath] = process.argv.slice(2)
if (!pki || !volumes || !nodeVolumes || !socketPath) {
  throw new Error('usage: agent/main.ts <pki> <volumes> <volumes as the node sees them> <relay socket>')
}
const log = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`)
const read = (file: string) => readFileSync(join(pki, file))
serveRelay(socketPath, log)
await provisionVolumes({
  authority: read('ca.crt'),
  certificate: read('volume-provisioner.crt'),
  key: read('volume-provisioner.key'),
  directory: volumes,
  nodeDirectory: nodeVolumes,
  log,
})

import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createProgress } from '../progress.ts'
import { attachCluster, startCluster, stopCluster } from './cluster.ts'
import { buildArchive } from './images/build-archive.ts'
import { defaultInstance, instanceLayout } from './instance-layout.ts'
import { runningPid } from './pid-file.ts'
import { preflight, thisMachine } from './preflight.ts'

const usage = `usage: node e2e/cluster/main.ts <command> [--instance <name>]
  up                       bring the cluster up (harmless when it runs)
  down                     take it down and remove every trace but .cache
  status                   every instance of this checkout, and which of its programs run
  image                    build the TrueNow image as an OCI archive, without a cluster
  exec -- <command…>       run a command in the cluster's network, with KUBECONFIG, kubectl and helm
  relay --namespace <ns> --service <name> --port <port>   a port on 127.0.0.1 that leads to a Service, until Ctrl-C`

const root = resolve(dirname(import.meta.filename), '..', '..')

const log = (line: string) => process.stdout.write(`${line}\n`)

async function main(argv: readonly string[]): Promise<number> {
  const split = argv.indexOf('--')
  const { values, positionals } = parseArgs({
    args: [...(split < 0 ? argv : argv.slice(0, split))],
    allowPositionals: true,
    options: {
      instance: { type: 'string', default: defaultInstance(root, 'up') },
      audit: { type: 'boolean', default: false },
      namespace: { type: 'string', default: 'default' },
      service: { type: 'string', default: '' },
      port: { type: 'string', default: '' },
    },
  })
  const command = positionals[0]
  const { instance } = values
  if (command === 'up') {
    const message = preflight(thisMachine(), process.env.KUBE_CONTEXT)
    if (message !== undefined) return say(message, 2)
    const { kubeconfigPath } = await startCluster({ instance, root, log, auditLog: values.audit })
    log(`cluster ${instance} runs; kubeconfig ${kubeconfigPath}`)
    return 0
  }
  if (command === 'down') {
    await createProgress(log)(`cluster ${instance} is down`, () => stopCluster(instance, root, log))
    return 0
  }
  if (command === 'status') return status()
  if (command === 'image') {
    const message = preflight(thisMachine(), undefined)
    if (message !== undefined) return say(message, 2)
    const { name, archive } = await buildArchive(root, log)
    log(`${name}\n${archive}`)
    return 0
  }
  if (command === 'exec') {
    const given = split < 0 ? [] : argv.slice(split + 1)
    if (given.length === 0) return say(usage, 2)
    return (await (await attachCluster(instance, root)).exec(given, { inherit: true })).code
  }
  if (command === 'relay') {
    const port = Number(values.port)
    if (!values.service || !Number.isInteger(port)) return say(usage, 2)
    const { namespace, service } = values
    const relay = await (await attachCluster(instance, root)).relay({ namespace, service, port })
    process.stdout.write(`${relay.url}\n`)
    await new Promise((stopped) => process.once('SIGINT', stopped).once('SIGTERM', stopped))
    return relay.close().then(() => 0)
  }
  return say(usage, 2)
}

function status(): number {
  const all = join(root, '.truenow')
  for (const instance of existsSync(all) ? readdirSync(all) : []) {
    const layout = instanceLayout(root, instance)
    const programs = existsSync(layout.pids) ? readdirSync(layout.pids) : []
    const states = programs.map((file) => {
      const pid = runningPid(join(layout.pids, file))
      return `${file.replace('.json', '')}=${pid ?? 'dead'}`
    })
    process.stdout.write(
      `${instance} ${existsSync(layout.readyMark) ? 'up' : 'half-built'} ${states.join(' ')}\n`,
    )
  }
  return 0
}

function say(message: string, code: number): number {
  process.stderr.write(`${message}\n`)
  return code
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: Error) => process.exit(say(error.message, 1)),
)

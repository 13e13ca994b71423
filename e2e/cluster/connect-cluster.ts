import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { clusterNetwork } from './cluster-network.ts'
import { inNamespaces } from './daemon.ts'
import { type BuiltImage, buildImage, type ImageRecipe } from './images/build-image.ts'
import { contentHash } from './images/content-hash.ts'
import { loadImage } from './images/load-image.ts'
import { checkoutHash, type InstanceLayout } from './instance-layout.ts'
import { machineLock } from './machine-lock.ts'
import { holderPid } from './namespace-holder.ts'
import type { ReadyMark } from './ready-mark.ts'
import { type CommandOptions, type CommandResult, runCommand } from './run-command.ts'
import type { Toolbox } from './toolbox.ts'

export type RelayTarget = Readonly<{ namespace: string; service: string; port: number }>
export type Relay = Readonly<{
  /** `http://127.0.0.1:<port>`, reachable from the host's loopback. */
  url: string
  port: number
  close: () => Promise<void>
}>

/** `nodeImage`, `kafkaImage`, `postgresImage`, `redisImage`, `busyboxImage`, or one of your own. */
export type MakeRecipe = (root: string, toolbox: Toolbox) => ImageRecipe | Promise<ImageRecipe>

/** A running local cluster, in the hands of whoever uses it. */
export type Cluster = Readonly<{
  instance: string
  kubeconfigPath: string
  netnsPath: string
  auditLogPath: string
  toolbox: Toolbox
  /** Both are killed after five minutes, and say so. */
  kubectl: (args: readonly string[], input?: string) => Promise<CommandResult>
  helm: (args: readonly string[], input?: string) => Promise<CommandResult>
  /** Runs a program of the host in the cluster's network, where names of Services resolve, with KUBECONFIG set. */
  exec: (command: readonly string[], options?: CommandOptions) => Promise<CommandResult>
  /** What to put before a command line, and into its environment, to run it as `exec` does (for spawn). */
  execWrapper: Readonly<{ prefix: readonly string[]; environment: Readonly<Record<string, string>> }>
  loadImage: (image: string | BuiltImage) => Promise<void>
  /** Makes the recipe and builds it under the checkout's build lock, then loads it. */
  buildAndLoad: (make: MakeRecipe) => Promise<BuiltImage>
  relay: (target: RelayTarget) => Promise<Relay>
  stop: () => Promise<void>
}>

const buildWaitMs = 1_200_000
/** kubectl waits for ever by default, and an exec whose end got lost does, too. Above every --timeout that is given. */
const toolMs = 300_000

/** The handle of a cluster, made from what its directory says; `known` is for the bring-up, before that is written. */
export function connectCluster(
  layout: InstanceLayout,
  stop: () => Promise<void>,
  known?: Readonly<{ holder: number; mark: ReadyMark }>,
): Cluster {
  const { toolbox } = known?.mark ?? (JSON.parse(readFileSync(layout.readyMark, 'utf8')) as ReadyMark)
  const holder = (): number => {
    const pid = known?.holder ?? holderPid(layout)
    if (pid === undefined) throw new Error(`cluster ${layout.instance} does not run any more`)
    return pid
  }
  const client = clientEnvironment(layout, toolbox)
  const inNetwork = (command: readonly string[], options: CommandOptions = {}) =>
    runCommand(inNamespaces(holder(), 'network', command), {
      ...options,
      environment: { ...client, ...options.environment },
    })
  const execPrefix = [...inNamespaces(holder(), 'network', []), ...withNameService(layout)]
  const tool = (name: string) => (args: readonly string[], input?: string) =>
    inNetwork([join(toolbox.commandLine, name), ...args], {
      timeoutMs: toolMs,
      ...(input === undefined ? {} : { input }),
    })
  const load = (image: BuiltImage) => loadImage(layout, toolbox, holder(), image)
  return {
    instance: layout.instance,
    kubeconfigPath: layout.kubeconfig,
    netnsPath: `/proc/${holder()}/ns/net`,
    auditLogPath: layout.auditLog,
    toolbox,
    kubectl: tool('kubectl'),
    helm: tool('helm'),
    exec: (command, options = {}) =>
      runCommand([...execPrefix, ...command], {
        ...options,
        environment: { ...client, ...options.environment },
      }),
    execWrapper: { prefix: execPrefix, environment: client },
    loadImage: (image) => load(typeof image === 'string' ? archiveAsImage(image) : image),
    buildAndLoad: async (make) => {
      const free = await machineLock(`truenow-build-${checkoutHash(layout.root)}`, buildWaitMs)
      try {
        const built = await buildImage(layout.root, toolbox, await make(layout.root, toolbox))
        await load(built)
        return built
      } finally {
        await free()
      }
    },
    relay: (target) => openRelay(layout.relaySocket, target),
    stop,
  }
}

/** Helm keeps its files in the instance's directory, never in the home of whoever runs it. */
function clientEnvironment(layout: InstanceLayout, toolbox: Toolbox): Record<string, string> {
  const helm = join(layout.directory, 'helm')
  mkdirSync(helm, { recursive: true })
  return {
    KUBECONFIG: layout.kubeconfig,
    PATH: `${toolbox.commandLine}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    HELM_CACHE_HOME: join(helm, 'cache'),
    HELM_CONFIG_HOME: join(helm, 'config'),
    HELM_DATA_HOME: join(helm, 'data'),
    KUBECACHEDIR: join(layout.directory, 'kubectl-cache'),
  }
}

/** A command prefix that puts the cluster's resolv.conf over the host's, for that command only. */
const withNameService = (layout: InstanceLayout): readonly string[] => [
  ...['unshare', '--mount', '--propagation', 'slave', '/bin/sh', '-c'],
  '[ ! -e /etc/resolv.conf ] || mount --bind "$0" /etc/resolv.conf; exec "$@"',
  join(layout.configuration, 'resolv.conf'),
]

function archiveAsImage(archive: string): BuiltImage {
  if (!existsSync(archive)) throw new Error(`no image archive at ${archive}`)
  return { name: archive, key: contentHash([readFileSync(archive)]), archive }
}

async function openRelay(socketPath: string, { namespace, service, port }: RelayTarget): Promise<Relay> {
  const target = `${service}.${namespace}.svc.${clusterNetwork.domain}:${port}`
  const open = new Set<Socket>()
  const keep = (socket: Socket, other: Socket) => {
    open.add(socket)
    socket.setNoDelay()
    socket.on('error', () => other.destroy())
    socket.on('close', () => {
      open.delete(socket)
      other.destroy()
    })
  }
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socketPath, allowHalfOpen: true })
    keep(near, far)
    keep(far, near)
    far.write(`${target}\n`)
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(0, '127.0.0.1', listening)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('relay: no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    close: () => {
      for (const socket of open) socket.destroy()
      return new Promise((closed) => server.close(() => closed()))
    },
  }
}

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createProgress, type Progress } from '../progress.ts'
import { coreDns } from './addons/core-dns.ts'
import { localStorage } from './addons/local-storage.ts'
import { makeCertificates } from './certificates.ts'
import { clusterNetwork } from './cluster-network.ts'
import type { Component, Snapshotter, Surroundings } from './components/component.ts'
import { containerd } from './components/containerd.ts'
import { etcd } from './components/etcd.ts'
import { kubeApiserver } from './components/kube-apiserver.ts'
import { kubeControllerManager } from './components/kube-controller-manager.ts'
import { kubeProxy } from './components/kube-proxy.ts'
import { kubeScheduler } from './components/kube-scheduler.ts'
import { kubelet } from './components/kubelet.ts'
import { type Cluster, connectCluster } from './connect-cluster.ts'
import { type ControlGroups, controlGroups } from './control-groups.ts'
import { type Daemon, inControlGroup, inNamespaces, logTail, pidFile, startDaemon } from './daemon.ts'
import { type BuiltImage, buildImage } from './images/build-image.ts'
import { busyboxImage } from './images/busybox-image.ts'
import { coreDnsImage } from './images/coredns-image.ts'
import { loadImage } from './images/load-image.ts'
import { checkoutHash, type InstanceLayout } from './instance-layout.ts'
import { kubeconfig } from './kubeconfig.ts'
import { machineLock } from './machine-lock.ts'
import { holderPid, openNamespaces } from './namespace-holder.ts'
import { runningPid } from './pid-file.ts'
import { pollUntil } from './poll-until.ts'
import type { ReadyMark } from './ready-mark.ts'
import { runCommand } from './run-command.ts'
import { tearDown } from './tear-down.ts'
import { prepareToolbox, type Toolbox } from './toolbox.ts'

const buildWaitMs = 1_200_000

export type BringUpOptions = Readonly<{
  log: (line: string) => void
  audit: boolean
  /** False: an API server with the controllers that need no node, and nothing that could run a pod. */
  withNode: boolean
}>

/** Brings an instance from whatever state it is in to a Ready node with name service and storage. Hold its lock. */
export async function bringUp(layout: InstanceLayout, options: BringUpOptions): Promise<void> {
  const { log, audit, withNode } = options
  const step = createProgress(log)
  const groups = controlGroups(layout.machineName)
  const whole = existsSync(layout.readyMark) && holderPid(layout) !== undefined
  if (!whole && (existsSync(layout.directory) || groups.exists())) {
    await step('remains of an earlier attempt removed', () => tearDown(layout))
  }
  groups.create()
  const { toolbox, images } = await prepare(layout, groups, step, options)
  const holder =
    holderPid(layout) ?? (await step('namespaces open', () => openNamespaces(layout, groups, toolbox)))
  const surroundings = {
    layout,
    toolbox,
    controlGroupPath: groups.path,
    audit: whole ? previousAudit(layout) : audit,
    withNode,
    snapshotter: withNode ? await chooseSnapshotter(layout, holder) : 'native',
  } as const
  const start = (component: Component) => startComponent(component, surroundings, groups, holder)

  await step('certificates made', () => makeCertificates(layout.pki, toolbox.environment))
  writeKubeconfigs(layout)
  const containers = withNode
    ? runContainers(layout, toolbox, holder, images, step, () => start(containerd))
    : undefined
  containers?.catch(() => {}) // Awaited below; a failure before that must not end the process.
  start(etcd)
  start(kubeApiserver)
  const mark: ReadyMark = { toolbox, audit: surroundings.audit }
  const cluster = connectCluster(layout, () => tearDown(layout), { holder, mark })
  await step('kube-apiserver ready', () => awaitApiServer(cluster, layout))
  start(kubeControllerManager)
  if (containers === undefined) return writeFileSync(layout.readyMark, JSON.stringify(mark))
  for (const component of [kubeScheduler, kubeProxy]) start(component)
  await containers
  start(kubelet)
  await step('name service and storage applied', () => applyAddons(cluster))
  startDaemon(layout, groups, agent(layout), holder) // Its rights are among what was just applied.
  await step('node Ready', () => awaitNode(cluster, layout))
  await step('name service ready', () => awaitNameService(cluster))
  writeFileSync(layout.readyMark, JSON.stringify(mark))
}

async function prepare(
  layout: InstanceLayout,
  groups: ControlGroups,
  step: Progress,
  { log, withNode }: BringUpOptions,
) {
  // Builds are shared by the instances of a checkout; only one may write the caches.
  const free = await machineLock(`truenow-build-${checkoutHash(layout.root)}`, buildWaitMs, () =>
    log('… waiting for another instance of this checkout that builds'),
  )
  try {
    const toolbox = await prepareToolbox(layout.root, step, inControlGroup(groups, []))
    if (!withNode) return { toolbox, images: [] }
    const images = await step('images of the cluster itself', async () => [
      await buildImage(layout.root, toolbox, busyboxImage(layout.root, toolbox)),
      await buildImage(layout.root, toolbox, coreDnsImage(layout.root, toolbox)),
    ])
    return { toolbox, images }
  } finally {
    await free()
  }
}

/** An overlay cannot lie on an overlay: inside a container the checkout often does. Tried, not guessed. */
async function chooseSnapshotter(layout: InstanceLayout, holder: number): Promise<Snapshotter> {
  const probe = join(layout.state, 'overlay-probe')
  const parts = ['lower', 'upper', 'work', 'merged'].map((part) => join(probe, part))
  for (const part of parts) mkdirSync(part, { recursive: true })
  const [lower, upper, work, merged] = parts
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  const script = 'mount -t overlay overlay -o "$0" "$1" && umount "$1"'
  const tried = await runCommand(
    inNamespaces(holder, 'both', ['/bin/sh', '-c', script, options, merged ?? '']),
  )
  return tried.code === 0 ? 'overlayfs' : 'native'
}

const previousAudit = (layout: InstanceLayout): boolean =>
  (JSON.parse(readFileSync(layout.readyMark, 'utf8')) as ReadyMark).audit

function startComponent(
  component: Component,
  surroundings: Surroundings,
  groups: ControlGroups,
  holder: number,
) {
  const { files, daemon } = component(surroundings)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  startDaemon(surroundings.layout, groups, daemon, holder)
}

function writeKubeconfigs(layout: InstanceLayout): void {
  mkdirSync(layout.configuration, { recursive: true })
  for (const name of ['controller-manager', 'scheduler', 'kube-proxy', 'kubelet']) {
    writeFileSync(join(layout.configuration, `${name}.kubeconfig`), kubeconfig(layout.pki, name), {
      mode: 0o600,
    })
  }
  writeFileSync(layout.kubeconfig, kubeconfig(layout.pki, 'admin'), { mode: 0o600 })
  const { dnsService, domain } = clusterNetwork
  writeFileSync(
    join(layout.configuration, 'resolv.conf'),
    `nameserver ${dnsService}\nsearch default.svc.${domain} svc.${domain} ${domain}\noptions ndots:5\n`,
  )
}

async function runContainers(
  layout: InstanceLayout,
  toolbox: Toolbox,
  holder: number,
  images: readonly BuiltImage[],
  step: Progress,
  start: () => void,
): Promise<void> {
  start()
  await step('containerd ready', () =>
    pollUntil('containerd', 30_000, async () => {
      mustRunStill(layout, 'containerd')
      const ask = inNamespaces(holder, 'both', ['ctr', '--connect-timeout', '1s', 'version'])
      return (await runCommand(ask, { environment: toolbox.environment })).code === 0 ? true : undefined
    }).catch((error) => explain(error, layout, 'containerd')),
  )
  await step('images of the cluster itself loaded', async () => {
    for (const image of images) await loadImage(layout, toolbox, holder, image)
  })
}

const awaitApiServer = (cluster: Cluster, layout: InstanceLayout) =>
  pollUntil('kube-apiserver', 60_000, async () => {
    mustRunStill(layout, 'kube-apiserver', 'etcd')
    const { code, stdout } = await cluster.kubectl(['get', '--raw', '/readyz'])
    return code === 0 && stdout === 'ok' ? true : undefined
  }).catch((error) => explain(error, layout, 'kube-apiserver'))

const awaitNode = (cluster: Cluster, layout: InstanceLayout) =>
  pollUntil('node Ready', 60_000, async () => {
    mustRunStill(layout, 'kubelet', 'containerd')
    const path = '{.status.conditions[?(@.type=="Ready")].status}'
    const { stdout } = await cluster.kubectl([
      'get',
      'node',
      clusterNetwork.nodeName,
      '-o',
      `jsonpath=${path}`,
    ])
    return stdout === 'True' ? true : undefined
  }).catch((error) => explain(error, layout, 'kubelet'))

const awaitNameService = (cluster: Cluster) =>
  pollUntil('CoreDNS ready', 60_000, async () => {
    const path = ['-n', 'kube-system', '-o', 'jsonpath={.status.readyReplicas}']
    return (await cluster.kubectl(['get', 'deployment', 'coredns', ...path])).stdout === '1'
      ? true
      : undefined
  })

async function applyAddons(cluster: Cluster): Promise<void> {
  const restricted = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'kube-system', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  }
  const items = { apiVersion: 'v1', kind: 'List', items: [restricted, ...coreDns, ...localStorage] }
  await pollUntil('name service and storage', 30_000, async () => {
    const apply = ['apply', '--server-side', '--force-conflicts', '-f', '-']
    const { code, stderr } = await cluster.kubectl(apply, JSON.stringify(items))
    // kube-system is made by the API server itself, a moment after it became ready.
    if (code !== 0 && !/not found|forbidden|connection refused/.test(stderr)) throw new Error(stderr)
    return code === 0 ? true : undefined
  })
}

const agent = (layout: InstanceLayout): Daemon => {
  mkdirSync(layout.relaySocketDirectory, { recursive: true })
  const program = join(layout.root, 'e2e', 'cluster', 'agent', 'main.ts')
  const nodeVolumes = '/var/lib/truenow/volumes'
  return {
    name: 'agent',
    namespaces: 'network',
    environment: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
    command: [process.execPath, program, layout.pki, layout.volumes, nodeVolumes, layout.relaySocket],
  }
}

/** A program that has died will not get ready: no use in waiting for it. */
function mustRunStill(layout: InstanceLayout, ...names: readonly string[]): void {
  for (const name of names) {
    if (runningPid(pidFile(layout, name)) !== undefined) continue
    throw new Error(`${name} ended by itself. The end of its log:\n${logTail(layout, name)}`)
  }
}

function explain(error: Error, layout: InstanceLayout, name: string): never {
  throw new Error(`${error.message}\nThe end of ${name}'s log:\n${logTail(layout, name)}`, { cause: error })
}

import { join } from 'node:path'
import { clusterNetwork } from './cluster-network.ts'
import type { InstanceLayout } from './instance-layout.ts'

/** Directories of the host that programs write to by fixed paths: the instance sees empty ones of its own. */
const hiddenDirectories = ['/run', '/var/lib', '/var/log']

/**
 * The kubelet sets these for the whole machine at start. It finds them set already, because in its mount
 * namespace files with the wanted values lie over them; so the host keeps its own.
 */
const kernelSettings: ReadonlyArray<[path: string, value: string]> = [
  ['vm/overcommit_memory', '1'],
  ['vm/panic_on_oom', '0'],
  ['kernel/panic', '10'],
  ['kernel/panic_on_oops', '1'],
  ['kernel/keys/root_maxkeys', '1000000'],
  ['kernel/keys/root_maxbytes', '25000000'],
]

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Shell lines that hide `hiddenDirectories` behind empty ones, but keep the checkout visible if it lies below. */
export function hideHostDirectories(checkout: string): string[] {
  return hiddenDirectories.flatMap((hidden) =>
    checkout === hidden || checkout.startsWith(`${hidden}/`)
      ? [
          `cd ${quote(checkout)}`,
          `mount -t tmpfs -o mode=755 truenow ${hidden}`,
          `mkdir -p ${quote(checkout)}`,
          `mount --no-canonicalize --rbind . ${quote(checkout)}`, // The old directory is still the current one.
          'cd /',
        ]
      : [`mount -t tmpfs -o mode=755 truenow ${hidden}`],
  )
}

/**
 * What the first process of an instance does inside its new network and mount namespaces. Both live as long as a
 * process is in them: when the last one is killed, every mount, interface and rule is gone with them.
 */
export function namespaceScript(layout: InstanceLayout): string {
  const { bridge, nodeAddress, serviceRange } = clusterNetwork
  const bind = (name: string, target: string) => [
    `mkdir -p ${quote(join(layout.state, name))} ${target}`,
    `mount --bind ${quote(join(layout.state, name))} ${target}`,
  ]
  const setting = ([path, value]: readonly [string, string]) =>
    `[ ! -e /proc/sys/${path} ] || { echo ${value} > /run/sysctl/${path.replaceAll('/', '.')} && mount --bind /run/sysctl/${path.replaceAll('/', '.')} /proc/sys/${path}; }`
  return [
    'set -eu',
    ...hideHostDirectories(layout.root),
    ...bind('kubelet', '/var/lib/kubelet'),
    ...bind('containerd', '/var/lib/containerd'),
    ...bind('pod-logs', '/var/log/pods'),
    'mkdir -p /var/lib/truenow/volumes /run/sysctl',
    `mount --bind ${quote(layout.volumes)} /var/lib/truenow/volumes`,
    ...kernelSettings.map(setting),
    'ip link set lo up',
    `ip link add ${bridge} type bridge`,
    `ip address add ${nodeAddress}/32 dev ${bridge}`,
    `ip link set ${bridge} up`,
    `ip route add ${serviceRange} dev ${bridge} src ${nodeAddress}`, // Else processes of the node find no way to a Service.
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    '[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables',
    `touch ${quote(join(layout.directory, 'namespaces-ready'))}`,
    'exec sleep infinity',
  ].join('\n')
}

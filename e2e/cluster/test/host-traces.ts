import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { InstanceLayout } from '../instance-layout.ts'
import { runCommand } from '../run-command.ts'

/** What a cluster could leave on a machine, as sorted lines by kind; equal before and after, or something stayed. */
export type HostTraces = Readonly<Record<string, readonly string[]>>

/** Directories of the host that parts of Kubernetes and its tools like to write to. */
const watchedDirectories = [
  ...[
    '/etc/cni',
    '/etc/containers',
    '/etc/kubernetes',
    '/opt',
    '/opt/cni',
    '/run',
    '/run/netns',
    '/run/containerd',
  ],
  ...[
    '/root/.cache/helm',
    '/root/.config/helm',
    '/root/.kube',
    '/root/.local/share/containers',
    '/usr/libexec',
  ],
  ...['/var/lib', '/var/lib/cni', '/var/lib/containers', '/var/lib/kubelet', '/var/log', '/var/log/pods'],
]
const watchedSettings = [
  ...[
    'vm/overcommit_memory',
    'vm/panic_on_oom',
    'kernel/panic',
    'kernel/panic_on_oops',
    'net/ipv4/ip_forward',
  ],
  ...['kernel/keys/root_maxkeys', 'net/netfilter/nf_conntrack_max', 'net/bridge/bridge-nf-call-iptables'],
]

/** Lists them. `iptablesSave` runs in the host's own network; other instances' control groups are left out. */
export async function hostTraces(
  layout: InstanceLayout,
  iptablesSave: readonly string[],
): Promise<HostTraces> {
  const rules = iptablesSave.length > 0 ? (await runCommand(iptablesSave)).stdout : ''
  return {
    processes: processes(layout),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').sort(),
    interfaces: [...readdirSync('/sys/class/net'), ...Object.keys(networkInterfaces())].sort(),
    iptables: rules.split('\n').filter((line) => line && !line.startsWith('#')),
    controlGroups: controlGroups().filter((path) => path.includes(layout.machineName)),
    files: watchedDirectories.flatMap((directory) => list(directory).map((name) => `${directory}/${name}`)),
    settings: watchedSettings.map((setting) => `${setting}=${read(`/proc/sys/${setting}`).trim()}`),
  }
}

/** Processes that belong to the instance by control group, command line, or namespace. */
function processes(layout: InstanceLayout): string[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const said = `${read(`/proc/${pid}/cgroup`)}${read(`/proc/${pid}/cmdline`)}${read(`/proc/${pid}/environ`)}`
      return said.includes(layout.machineName) || said.includes(`${layout.directory}/`)
    })
    .map((pid) => `${pid} ${read(`/proc/${pid}/comm`).trim()} ${link(`/proc/${pid}/ns/net`)}`)
}

function controlGroups(): string[] {
  return list('/sys/fs/cgroup').flatMap((top) =>
    list(`/sys/fs/cgroup/${top}`).map((name) => `${top}/${name}`),
  )
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

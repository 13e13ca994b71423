import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pollUntil } from './poll-until.ts'
import { parseStartTicks, processIdentity } from './process-identity.ts'

const zombieMsMax = 5_000
/**
 * On a node of its own the pods have the cores, and all daemons together little. Here each process beside them, etcd or a
 * test, has by default as much of the cores as all pods together: then shards stand still for seconds while kubectl is asked.
 */
const podShare = 8
const shareOfOne: Readonly<Record<string, number>> = { 'cpu.shares': 1_024, 'cpu.weight': 100 }

/** Mount points of every control-group hierarchy, from the text of /proc/self/mountinfo. */
export function controlGroupMounts(mountinfo: string): string[] {
  const mounts: string[] = []
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ')
    const type = right?.split(' ')[0]
    const mountPoint = left?.split(' ')[4]
    const root = left?.split(' ')[3]
    if ((type === 'cgroup' || type === 'cgroup2') && root === '/' && mountPoint) mounts.push(mountPoint)
  }
  return [...new Set(mounts)]
}

/**
 * The instance's own control groups: `/truenow-<instance>` in every hierarchy. The kubelet puts its pods
 * below; everything else that the instance starts joins `daemons`. So the kernel itself keeps the list of
 * all processes of the instance, also of those whose parent was killed before it could write a pid file.
 */
export type ControlGroups = Readonly<{
  /** What the kubelet calls cgroupRoot. */
  path: string
  /** Write a pid here to join. */
  joinFile: string
  create: () => void
  pids: () => number[]
  /** Ends when the last one is gone, and those that init has to bury are buried, too. */
  killAll: () => Promise<void>
  remove: () => Promise<void>
  exists: () => boolean
}>

export function controlGroups(machineName: string): ControlGroups {
  const mounts = controlGroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  const tops = mounts.map((mount) => join(mount, machineName))
  const tracked = tops.find((top) => top.includes('/pids/')) ?? tops[0]
  if (tracked === undefined) throw new Error('no control groups are mounted; mount /sys/fs/cgroup')
  const pids = () => [...new Set(tops.flatMap(groupPids))].filter((pid) => processIdentity(pid))
  return {
    path: `/${machineName}`,
    joinFile: join(tracked, 'daemons', 'cgroup.procs'),
    create: () => {
      for (const top of tops) {
        mkdirSync(top, { recursive: true })
        for (const [file, one] of Object.entries(shareOfOne))
          if (existsSync(join(top, file))) writeFileSync(join(top, file), String(podShare * one))
      }
      mkdirSync(join(tracked, 'daemons'), { recursive: true })
    },
    pids,
    killAll: async () => {
      const killed = new Set<number>()
      await pollUntil(`end of all processes in ${tracked}`, 30_000, () => {
        tops.forEach(thaw) // A frozen process takes no signal.
        const left = pids().filter((pid) => pid !== process.pid)
        for (const pid of left) {
          killed.add(pid)
          killQuietly(pid) // Again each time: a fork may have slipped through.
        }
        return left.length === 0 ? true : undefined
      })
      const buried = () => ([...killed].every((pid) => !isZombie(pid)) ? true : undefined)
      await pollUntil('init to bury the ended', zombieMsMax, buried, 50).catch(() => {}) // Not ours to force.
    },
    remove: () =>
      pollUntil(
        `removal of the control groups ${machineName}`,
        10_000,
        () => (tops.map(removeTree).every(Boolean) ? true : undefined),
        50,
      ).then(() => {}),
    exists: () => tops.some((top) => existsSync(top)),
  }
}

function groupPids(group: string): number[] {
  try {
    const own = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
    return [...own, ...children(group).flatMap((child) => groupPids(join(group, child)))]
  } catch {
    return [] // Removed meanwhile.
  }
}

function isZombie(pid: number): boolean {
  try {
    return parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.state === 'Z'
  } catch {
    return false
  }
}

function thaw(group: string): void {
  const state = join(group, 'freezer.state')
  if (existsSync(state) && !readFileSync(state, 'utf8').startsWith('THAWED')) writeFileSync(state, 'THAWED')
  if (group.includes('/freezer/')) for (const child of children(group)) thaw(join(group, child))
}

function removeTree(group: string): boolean {
  if (!existsSync(group)) return true
  try {
    const emptied = children(group).map((child) => removeTree(join(group, child)))
    if (!emptied.every(Boolean)) return false
    rmdirSync(group)
    return true
  } catch {
    return !existsSync(group) // Busy: a process has been killed but not yet reaped.
  }
}

function children(group: string): string[] {
  try {
    const entries = readdirSync(group, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  } catch {
    return [] // Removed meanwhile, or never made.
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Ended by itself.
  }
}

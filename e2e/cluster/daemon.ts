import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlGroups } from './control-groups.ts'
import type { InstanceLayout } from './instance-layout.ts'
import { runningPid, writePidFile } from './pid-file.ts'

/** A program that goes on after `up` has ended. */
export type Daemon = Readonly<{
  name: string
  command: readonly string[]
  environment: Readonly<Record<string, string>>
  /** `both`: also the instance's mounts. `network`: the host's files, the instance's network. `host`: neither. */
  namespaces: 'both' | 'network' | 'host'
}>

export const pidFile = (layout: InstanceLayout, name: string): string => join(layout.pids, `${name}.json`)
export const logFile = (layout: InstanceLayout, name: string): string => join(layout.logs, `${name}.log`)

/** Wraps a command so that it runs in the instance's namespaces, which the process `holder` keeps open. */
export const inNamespaces = (holder: number, which: Daemon['namespaces'], command: readonly string[]) =>
  which === 'host'
    ? command
    : [
        'nsenter',
        `--net=/proc/${holder}/ns/net`,
        ...(which === 'both' ? [`--mount=/proc/${holder}/ns/mnt`] : []),
        '--',
        ...command,
      ]

/** Wraps a command so that it joins the instance's control group before anything else. The pid stays the same. */
export const inControlGroup = (groups: ControlGroups, command: readonly string[]): readonly string[] => [
  '/bin/sh',
  '-c',
  'echo $$ > "$0" && exec "$@"',
  groups.joinFile,
  ...command,
]

/** Starts a daemon unless it runs. It has a log file, a pid file, its own session, and no tie to this process. */
export function startDaemon(
  layout: InstanceLayout,
  groups: ControlGroups,
  daemon: Daemon,
  holder: number,
): number {
  const running = runningPid(pidFile(layout, daemon.name))
  if (running !== undefined) return running
  mkdirSync(layout.logs, { recursive: true })
  const log = openSync(logFile(layout, daemon.name), 'a')
  const [program = '', ...args] = inControlGroup(
    groups,
    inNamespaces(holder, daemon.namespaces, daemon.command),
  )
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: { HOME: '/root', LANG: 'C', ...daemon.environment },
  })
  closeSync(log)
  child.on('error', () => {}) // /bin/sh is always there; what it execs reports into the log.
  child.unref()
  if (child.pid === undefined) throw new Error(`cannot start ${daemon.name}`)
  writePidFile(pidFile(layout, daemon.name), child.pid)
  return child.pid
}

/** The last lines of a daemon's log, for the message of whoever waited for it in vain. */
export function logTail(layout: InstanceLayout, name: string, lines = 12): string {
  try {
    return readFileSync(logFile(layout, name), 'utf8').trim().split('\n').slice(-lines).join('\n')
  } catch {
    return '(no log)'
  }
}

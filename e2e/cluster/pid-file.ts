import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ProcessIdentity, processIdentity } from './process-identity.ts'

/** Remembers a process by pid and start time, so that a recycled pid is never taken for it. */
export function writePidFile(path: string, pid: number): void {
  const identity = processIdentity(pid)
  if (identity === undefined) return // It ended already: whoever waits for it finds its log.
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, `${JSON.stringify(identity)}\n`)
  renameSync(`${path}.new`, path)
}

/** The pid in the file if that very process still runs, else undefined. A torn or foreign file counts as none. */
export function runningPid(path: string): number | undefined {
  try {
    const { pid, startTicks } = JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
    return Number.isSafeInteger(pid) && processIdentity(pid)?.startTicks === startTicks ? pid : undefined
  } catch {
    return undefined
  }
}

/** Signals the process of a pid file, only while it is the one that was remembered. */
export function signalPidFile(path: string, signal: NodeJS.Signals): void {
  const pid = runningPid(path)
  if (pid === undefined) {
    rmSync(path, { force: true })
    return
  }
  try {
    process.kill(pid, signal)
  } catch {
    // It ended between the look and the signal.
  }
}

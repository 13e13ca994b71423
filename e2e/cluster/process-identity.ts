import { readFileSync } from 'node:fs'

/** A process as the kernel tells it apart: a pid alone may have been given to another program since. */
export type ProcessIdentity = Readonly<{ pid: number; startTicks: number }>

/** Field 22 of /proc/<pid>/stat. The command in field 2 may hold blanks and brackets: count after its last `)`. */
export function parseStartTicks(stat: string): { state: string; startTicks: number } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTicks = Number(fields[19])
  return fields[0] && Number.isSafeInteger(startTicks) ? { state: fields[0], startTicks } : undefined
}

/** The identity of a running process; undefined when there is none (a zombie has ended, too). */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  try {
    const parsed = parseStartTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return parsed && parsed.state !== 'Z' ? { pid, startTicks: parsed.startTicks } : undefined
  } catch {
    return undefined
  }
}

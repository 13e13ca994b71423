import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The checkout: caches of downloaded servers lie in its `.cache`. */
export const checkout: string = resolve(import.meta.dirname, '../../../..')

/** PostgreSQL refuses to run as root, so and wants a user with a name: nobody, who is everywhere. */
const UNPRIVILEGED = 65_534

/** A real server of a test: its process, where it listens, and how to end it. */
export type ServerProcess = Readonly<{
  pid: () => number
  port: number
  stop: () => Promise<void>
  kill: (signal: NodeJS.Signals) => void
  /** Resolves when it has ended. */
  ended: () => Promise<void>
  /** Starts it again on the same port and directory, after it was stopped or killed. */
  restart: () => Promise<void>
}>

/** A temporary directory that `unprivileged` may write to as well. */
export function temporaryDirectory(name: string, unprivileged = false): string {
  const directory = mkdtempSync(join(tmpdir(), `truenow-${name}-`))
  if (unprivileged && process.getuid?.() === 0) chownSync(directory, UNPRIVILEGED, UNPRIVILEGED)
  return directory
}

/** Who a server runs as. */
export const asUnprivileged = (): Readonly<{ uid?: number; gid?: number }> =>
  process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {}

/**
 * Starts `command`, waits until `port` takes connections, and removes `directory` at the end, also when the test process
 * ends in another way. Errors: with the end of the server's log when it dies or is not there within 60 s.
 */
export async function startServer(
  options: Readonly<{
    name: string
    command: readonly string[]
    directory: string
    port: number
    environment?: Readonly<Record<string, string>>
    unprivileged?: boolean
    stopSignal?: NodeJS.Signals
  }>,
): Promise<ServerProcess> {
  const { name, directory, port } = options
  const logFile = join(directory, 'server.log')
  mkdirSync(directory, { recursive: true })
  let child: ChildProcess | undefined
  const onExit = () => {
    child?.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  process.once('exit', onExit)
  const start = async () => {
    const log = openSync(logFile, 'a')
    const [program = '', ...args] = options.command
    child = spawn(program, args, {
      cwd: directory,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', log, log],
      ...(options.unprivileged === true ? asUnprivileged() : {}),
    })
    const giveUpAt = performance.now() + 60_000
    while (!(await listens(port))) {
      const dead = child.exitCode !== null || child.signalCode !== null
      if (dead || performance.now() > giveUpAt) {
        throw new Error(`${name} did not start:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
      }
      await sleep(25)
    }
  }
  const ended = async () => {
    while (child !== undefined && child.exitCode === null && child.signalCode === null) await sleep(10)
  }
  await start()
  return {
    pid: () => child?.pid ?? -1,
    port,
    ended,
    kill: (signal) => void child?.kill(signal),
    restart: async () => {
      await ended()
      await start()
    },
    stop: async () => {
      process.off('exit', onExit)
      child?.kill('SIGCONT')
      child?.kill(options.stopSignal ?? 'SIGKILL') // Nothing of it is kept, so there is nothing to write down.
      await ended()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

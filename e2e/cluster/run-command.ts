import { spawn } from 'node:child_process'

export type CommandResult = Readonly<{ stdout: string; stderr: string; code: number }>
export type CommandOptions = Readonly<{
  input?: string
  environment?: Readonly<Record<string, string>>
  directory?: string
  timeoutMs?: number
  /** Let the command write to this process' own output instead of collecting it. */
  inherit?: boolean
}>

/** Runs a program to its end and hands back what it said. A program that fails is a value; one that is missing throws. */
export function runCommand(command: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...args] = command
  if (program === undefined) throw new Error('runCommand: empty command')
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.directory,
      env: { ...process.env, ...options.environment },
      stdio: options.inherit ? 'inherit' : [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', (cause) => reject(new Error(`cannot run ${program}: ${cause.message}`, { cause })))
    child.on('close', (code, signal) =>
      resolve({
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString() + (signal ? `\n${ended(command, signal, startedMs)}` : ''),
        code: code ?? 128,
      }),
    )
    child.stdin?.on('error', () => {}) // A program may end without reading its input.
    child.stdin?.end(options.input)
  })
}

const ended = (command: readonly string[], signal: NodeJS.Signals, startedMs: number): string =>
  `${command.join(' ')}: ended by ${signal} after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`

/** Runs a program that must succeed; otherwise throws with the command and the end of what it wrote. */
export async function mustRun(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await runCommand(command, options)
  if (code === 0) return stdout
  const said = `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n')
  throw new Error(`${command.slice(0, 6).join(' ')} … ended with ${code}:\n${said}`)
}

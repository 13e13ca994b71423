import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export type CommandResult = Readonly<{ stdout: string; stderr: string; code: number }>

/** A Kubernetes that TrueNow is installed on: our own local one, or one that a context of the user's kubeconfig names. */
export type Target = Readonly<{
  kubectl: (args: readonly string[], input?: string) => Promise<CommandResult>
  helm: (args: readonly string[]) => Promise<CommandResult>
  /** A loopback address of this machine that leads to a Service. */
  relay: (at: Readonly<{ namespace: string; service: string; port: number }>) => Promise<Relay>
}>
export type Relay = Readonly<{ url: string; close: () => Promise<void> }>

/** Runs kubectl and fails with what it said. */
export async function kubectl(target: Target, args: readonly string[], input?: string): Promise<string> {
  const { stdout, stderr, code } = await target.kubectl(args, input)
  if (code !== 0)
    throw new Error(`kubectl ${args.join(' ')} exited with ${code}: ${stderr.trim() || stdout.trim()}`)
  return stdout
}

/** Runs helm and fails with what it said. */
export async function helm(target: Target, args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await target.helm(args)
  if (code !== 0)
    throw new Error(`helm ${args.join(' ')} exited with ${code}: ${stderr.trim() || stdout.trim()}`)
  return stdout
}

/** The cluster that a context of the user's kubeconfig names; kubectl and helm are those on PATH. */
export function targetOfContext(context: string): Target {
  return {
    kubectl: (args, input) => run('kubectl', ['--context', context, ...args], input),
    helm: (args) => run('helm', ['--kube-context', context, ...args]),
    relay: async ({ namespace, service, port }) => {
      const args = ['--context', context, '-n', namespace, 'port-forward', `service/${service}`, `:${port}`]
      const child = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] })
      return { url: await forwardedAddress(child), close: () => end(child) }
    },
  }
}

async function forwardedAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('kubectl port-forward has no output')
  for await (const line of createInterface(child.stdout)) {
    const [, address] = /Forwarding from (127\.0\.0\.1:\d+)/.exec(line) ?? []
    if (address !== undefined) return `http://${address}`
  }
  throw new Error('kubectl port-forward ended before it listened')
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  for (let tries = 0; child.exitCode === null && child.signalCode === null && tries < 50; tries++)
    await sleep(20)
}

function run(program: string, args: readonly string[], input?: string): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ stdout, stderr, code: code ?? 1 }))
    child.stdin.end(input)
  })
}

import { parseArgs } from 'node:util'
import { KubernetesError, type KubernetesPort } from '../kubernetes/kubernetes-port.ts'
import { type ClusterVerb, changeCluster } from './change-cluster.ts'
import { diagnose } from './diagnose.ts'
import { type DrainVerb, drainShard } from './drain-shard.ts'
import { report } from './report.ts'
import { type SeenObjects, seenObjects } from './seen-objects.ts'
import { statusScreen } from './status-screen.ts'
import { REBALANCE_WORDS, steerRebalance } from './steer-rebalance.ts'

const KUBECTL_USAGE = `usage: kubectl truenow status [cluster]     how clusters, their roles and tables are
       kubectl truenow doctor [cluster]     what is wrong, and the command that tells more or mends it
       kubectl truenow report [cluster]     everything that somebody who helps must see, as one text without secrets
       kubectl truenow rebalance plan <cluster>   propose which replicas to move; nothing moves before it is approved
       kubectl truenow rebalance approve|stop|refresh <rebalance>
       kubectl truenow pause|resume <cluster>     hold the operator back; events and queries go on
       kubectl truenow restart <cluster>    a rolling restart of every pod
       kubectl truenow drain <pod>          move every slot off a shard and keep it empty; uncordon <pod> takes that back

  -n, --namespace <name>   default: the context's
  -A, --all-namespaces     status and doctor only
      --context <name>     default: the current one
      --kubeconfig <file>  default: as kubectl has it

status and doctor need list on truenowclusters, tables and pods; report also on what it shows, and pods/log.
Exit codes: 0 done, nothing wrong; 1 doctor found something, what was asked cannot be, or the API server refused; 2 called wrongly.`

export type Connect = (
  options: Readonly<{ kubeconfig?: string | undefined; context?: string | undefined }>,
) => Promise<Readonly<{ port: KubernetesPort; namespace: string }>>
type Output = Readonly<{ out: (text: string) => void; err: (text: string) => void }>

/** `kubectl truenow`: data to `out`, everything else to `err`; answers the exit code. */
export async function kubectlTruenow(
  args: readonly string[],
  connect: Connect,
  { out, err }: Output,
  nowMs: () => number,
): Promise<number> {
  const called = parse(args)
  if (called === 'help') {
    out(KUBECTL_USAGE)
    return 0
  }
  if (typeof called === 'string') {
    err(`${called}\n${KUBECTL_USAGE}`)
    return 2
  }
  const { command, words, values } = called
  try {
    const { port, namespace } = await connect(values)
    const at = values['all-namespaces'] === true ? undefined : (values.namespace ?? namespace)
    const asked = { port, words, at, namespace: at ?? namespace, nowMs: nowMs() }
    const { code, told, why } = await command.run(asked).finally(port.close)
    if (told !== undefined) out(told)
    if (why !== undefined) err(why)
    return code
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error
    err(`The API server refused or did not answer: ${error.message}`)
    return 1
  }
}

type Asked = Readonly<{
  port: KubernetesPort
  words: readonly string[]
  /** Undefined: all namespaces. */
  at: string | undefined
  namespace: string
  nowMs: number
}>
/** `told` to standard output, `why` to standard error. */
type Answer = Readonly<{ code: number; told?: string; why?: string }>
type Command = Readonly<{
  /** How many words follow, at least and at most. */
  words: readonly [min: number, max: number]
  run: (asked: Asked) => Promise<Answer>
}>

const looking = (show: (seen: SeenObjects, nowMs: number) => Answer): Command => ({
  words: [0, 1],
  run: async ({ port, at, words: [cluster], nowMs }) => {
    const seen = only(await seenObjects(port, at), cluster)
    if (cluster !== undefined && seen.clusters.length === 0)
      return { code: 1, why: `There is no TrueNowCluster ${cluster} in ${at ?? 'any namespace'}.` }
    return show(seen, nowMs)
  },
})
const changing = (verb: ClusterVerb): Command => ({
  words: [1, 1],
  run: async ({ port, namespace, words: [name = ''], nowMs }) => {
    const now = new Date(nowMs).toISOString()
    const told = await changeCluster(port, { namespace, name }, verb, now)
    return told === undefined
      ? { code: 1, why: `There is no TrueNowCluster ${name} in ${namespace}.` }
      : { code: 0, told }
  },
})
const draining = (verb: DrainVerb): Command => ({
  words: [1, 1],
  run: async ({ port, namespace, words: [name = ''] }) => {
    const { done, told } = await drainShard(port, verb, { namespace, name })
    return done ? { code: 0, told } : { code: 1, why: told }
  },
})
const COMMANDS: Readonly<Record<string, Command>> = {
  status: looking((seen) => ({ code: 0, told: statusScreen(seen) })),
  doctor: looking((seen, nowMs) => {
    const findings = diagnose(seen, nowMs)
    const lines = findings.map(({ about, what, next }) => `✖ ${about}: ${what}\n  → ${next}`)
    if (lines.length > 0) return { code: 1, told: lines.join('\n') }
    const well = `✔ Nothing wrong with ${seen.clusters.length} clusters and ${seen.tables.length} tables.`
    return { code: 0, told: well }
  }),
  report: {
    words: [0, 1],
    run: async ({ port, namespace, words: [cluster], nowMs }) => {
      const told = await report(port, { namespace, cluster }, new Date(nowMs).toISOString())
      return { code: 0, told }
    },
  },
  rebalance: {
    words: [2, 2],
    run: async ({ port, namespace, words: [word = '', name = ''], nowMs }) => {
      const known = REBALANCE_WORDS.find((one) => one === word)
      if (known === undefined)
        return { code: 2, why: `rebalance knows ${REBALANCE_WORDS.join(', ')}, not '${word}'.` }
      const { done, told } = await steerRebalance(port, known, { namespace, name }, nowMs)
      return done ? { code: 0, told } : { code: 1, why: told }
    },
  },
  drain: draining('drain'),
  uncordon: draining('uncordon'),
  pause: changing('pause'),
  resume: changing('resume'),
  restart: changing('restart'),
}

function parse(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        namespace: { type: 'string', short: 'n' },
        'all-namespaces': { type: 'boolean', short: 'A' },
        context: { type: 'string' },
        kubeconfig: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    const [name = '', ...words] = positionals
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (values.help === true) return 'help' as const
    if (command === undefined) return name === '' ? 'No command.' : `Unknown command '${name}'.`
    const [min, max] = command.words
    if (words.length > max) return `Too many names: ${words.slice(max).join(', ')}.`
    return words.length < min ? `${name} needs ${min - words.length} more.` : { command, words, values }
  } catch (error) {
    return (error as Error).message
  }
}

/** One cluster, with what belongs to it; pods find theirs by label. */
const only = (seen: SeenObjects, cluster: string | undefined): SeenObjects =>
  cluster === undefined
    ? seen
    : {
        clusters: seen.clusters.filter(({ metadata }) => metadata.name === cluster),
        tables: seen.tables.filter(({ spec }) => spec.clusterRef.name === cluster),
        pods: seen.pods,
      }

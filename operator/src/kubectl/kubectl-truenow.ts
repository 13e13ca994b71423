import { parseArgs } from 'node:util'
import { KubernetesError, type KubernetesPort } from '../kubernetes/kubernetes-port.ts'
import { diagnose } from './diagnose.ts'
import { type SeenObjects, seenObjects } from './seen-objects.ts'
import { statusScreen } from './status-screen.ts'

const KUBECTL_USAGE = `usage: kubectl truenow status [cluster]   how clusters, their roles and tables are
       kubectl truenow doctor [cluster]   what is wrong, and the command that tells more or mends it

  -n, --namespace <name>   default: the context's
  -A, --all-namespaces
      --context <name>     default: the current one
      --kubeconfig <file>  default: as kubectl has it

Needs list on truenowclusters, tables and pods. Exit codes: 0 nothing wrong, 1 doctor found something or the API server refused, 2 called wrongly.`

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
  if (typeof called === 'string') {
    err(`${called}\n${KUBECTL_USAGE}`)
    return 2
  }
  const { command, cluster, values } = called
  if (values.help === true) {
    out(KUBECTL_USAGE)
    return 0
  }
  try {
    const { port, namespace } = await connect(values)
    const at = values['all-namespaces'] === true ? undefined : (values.namespace ?? namespace)
    const seen = only(await seenObjects(port, at).finally(port.close), cluster)
    if (cluster !== undefined && seen.clusters.length === 0) {
      err(`There is no TrueNowCluster ${cluster} in ${at ?? 'any namespace'}.`)
      return 1
    }
    if (command === 'status') {
      out(statusScreen(seen))
      return 0
    }
    const findings = diagnose(seen, nowMs())
    for (const { about, what, next } of findings) out(`✖ ${about}: ${what}\n  → ${next}`)
    if (findings.length === 0)
      out(`✔ Nothing wrong with ${seen.clusters.length} clusters and ${seen.tables.length} tables.`)
    return findings.length === 0 ? 0 : 1
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error
    err(`The API server refused or did not answer: ${error.message}`)
    return 1
  }
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
    const [command = '', cluster, ...more] = positionals
    if (values.help === true) return { command, cluster, values }
    if (!['status', 'doctor'].includes(command))
      return command === '' ? 'No command.' : `Unknown command '${command}'.`
    return more.length > 0 ? `Too many names: ${more.join(', ')}.` : { command, cluster, values }
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

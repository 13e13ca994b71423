import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCluster } from './cluster/cluster.ts'
import { defaultInstance } from './cluster/instance-layout.ts'
import { missingTools, toolsHere } from './cluster/missing-tools.ts'
import { preflight, thisMachine } from './cluster/preflight.ts'
import { firstAnswer } from './first-answer.ts'
import { applyQuickstart, installOperator, OPERATOR_NAMESPACE, QUICKSTART } from './install-truenow.ts'
import { loadImages } from './load-images.ts'
import { createMarkedNamespace } from './made-by-up.ts'
import { createProgress } from './progress.ts'
import { kubectl, type Target, targetOfContext } from './target.ts'

/*
 * `make up`: the main job, for real. A Kubernetes of our own (or KUBE_CONTEXT=… with IMAGE=…), the chart, the quickstart,
 * 200,000 events with duplicates into two namespaces, one question to the in-cluster query Service, compared with an
 * independent recount. The last line is one JSON object.
 */
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const print = (line: string) => console.log(line)
const progress = createProgress(print)
const { KUBE_CONTEXT: context = '', IMAGE: givenImage = '' } = process.env
const EVENTS = Number(process.env.EVENTS ?? 200_000)

type Ground = Readonly<{
  target: Target
  image: string
  /** What a person types before a command that shall reach this cluster, and what opens a port of a Service of it. */
  before: string
  open: (service: string, port: number) => string
}>

async function ownCluster(): Promise<Ground> {
  const instance = defaultInstance(root, 'up')
  const cluster = await startCluster({ instance, root, log: print })
  const image = await loadImages(cluster, progress)
  // Their `node` may be too old for this; the one that runs here is not.
  const program = `${relative(process.cwd(), process.execPath)} e2e/cluster/main.ts`
  return {
    target: cluster,
    image,
    before: `${program} exec -- `,
    open: (service, port) =>
      `${program} relay --namespace ${QUICKSTART.namespace} --service ${service} --port ${port}`,
  }
}

async function givenCluster(): Promise<Ground> {
  if (givenImage === '') {
    console.error(
      `KUBE_CONTEXT=${context} needs IMAGE=<repository:tag>, an image of TrueNow that this cluster can pull.`,
    )
    process.exit(2)
  }
  const target = targetOfContext(context)
  for (const name of [OPERATOR_NAMESPACE, QUICKSTART.namespace]) await createMarkedNamespace(target, name)
  return {
    target,
    image: givenImage,
    before: '',
    open: (service, port) =>
      `kubectl --context ${context} -n ${QUICKSTART.namespace} port-forward service/${service} :${port}`,
  }
}

const refusal =
  preflight(thisMachine(), context) ?? (context === '' ? missingTools(await toolsHere(root)) : undefined)
if (refusal !== undefined) {
  console.error(refusal)
  process.exit(2)
}
const startedMs = performance.now()
const { target, image, before, open } = await (context === '' ? ownCluster() : givenCluster())
await installOperator(target, root, image, progress)
await applyQuickstart(target, root, progress)
const readyS = (performance.now() - startedMs) / 1_000

const { namespace, cluster, tables } = QUICKSTART
const gateway = await target.relay({ namespace, service: `${cluster}-gateway`, port: 8088 })
const query = await target.relay({ namespace, service: `${cluster}-query`, port: 8081 })
try {
  const run = `up${Date.now().toString(36)}`
  const urls = { gateway: gateway.url, query: query.url }
  const compared = await progress(`${EVENTS} events sent, counted and compared`, () =>
    firstAnswer(urls, tables, { events: EVENTS, seed: 42, run }),
  )
  print(await kubectl(target, ['-n', namespace, 'get', 'truenowclusters,tables']))
  const pods = `kubectl${context === '' ? '' : ` --context ${context}`} -n`
  print(`Next: ${before}${pods} ${namespace} get pods
      ${before}${pods} ${OPERATOR_NAMESPACE} logs deployment/truenow-operator
      ${open(`${cluster}-query`, 8081)}
        and with the address that it prints, in a second terminal: curl -s <address>/v1/tables
      make down${context === '' ? '' : ` KUBE_CONTEXT=${context}`} takes away what make up made.`)
  print(JSON.stringify({ ready_s: Number(readyS.toFixed(1)), ...compared }))
  if (!compared.equal) process.exitCode = 1
} finally {
  await gateway.close()
  await query.close()
}

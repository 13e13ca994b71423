import { fileURLToPath } from 'node:url'
import { startCluster } from './cluster/cluster.ts'
import { defaultInstance } from './cluster/instance-layout.ts'
import { preflight, thisMachine } from './cluster/preflight.ts'
import { firstAnswer } from './first-answer.ts'
import { applyQuickstart, installOperator, OPERATOR_NAMESPACE, QUICKSTART } from './install-truenow.ts'
import { loadImages } from './load-images.ts'
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

async function ownCluster(): Promise<{ target: Target; image: string; hint: string }> {
  const instance = defaultInstance(root, 'up')
  const cluster = await startCluster({ instance, root, log: print })
  const image = await loadImages(cluster, progress)
  return { target: cluster, image, hint: `node e2e/cluster/main.ts exec --instance ${instance} -- ` }
}

function givenCluster(): { target: Target; image: string; hint: string } {
  if (givenImage === '') {
    console.error(
      `KUBE_CONTEXT=${context} needs IMAGE=<repository:tag>, an image of TrueNow that this cluster can pull.`,
    )
    process.exit(2)
  }
  return { target: targetOfContext(context), image: givenImage, hint: '' }
}

const refusal = preflight(thisMachine(), context)
if (refusal !== undefined) {
  console.error(refusal)
  process.exit(2)
}
const startedMs = performance.now()
const { target, image, hint } = context === '' ? await ownCluster() : givenCluster()
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
  print(`Next: ${hint}kubectl -n ${namespace} get pods
      ${hint}kubectl -n ${OPERATOR_NAMESPACE} logs deployment/truenow-operator
      ${hint}curl -s http://demo-query.${namespace}.svc:8081/v1/tables
      make down takes everything away again.`)
  print(JSON.stringify({ ready_s: Number(readyS.toFixed(1)), ...compared }))
  if (!compared.equal) process.exitCode = 1
} finally {
  await gateway.close()
  await query.close()
}

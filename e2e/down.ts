import { fileURLToPath } from 'node:url'
import { stopCluster } from './cluster/cluster.ts'
import { defaultInstance } from './cluster/instance-layout.ts'
import { OPERATOR_NAMESPACE, QUICKSTART, RELEASE } from './install-truenow.ts'
import { kubectl, targetOfContext } from './target.ts'

/** `make down`: our own cluster goes whole; of a cluster that KUBE_CONTEXT names, only what `make up` put there. */
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const { KUBE_CONTEXT: context = '' } = process.env
if (context === '') {
  await stopCluster(defaultInstance(root, 'up'), root)
} else {
  const target = targetOfContext(context)
  await kubectl(target, ['delete', 'namespace', QUICKSTART.namespace, '--ignore-not-found', '--timeout=120s'])
  await target.helm(['uninstall', RELEASE, '--namespace', OPERATOR_NAMESPACE, '--wait'])
  await kubectl(target, ['delete', 'namespace', OPERATOR_NAMESPACE, '--ignore-not-found', '--timeout=120s'])
  const crds = ['truenowclusters', 'tables', 'rebalances'].map((plural) => `crd/${plural}.truenow.io`)
  await kubectl(target, ['delete', ...crds, '--ignore-not-found'])
}
console.log('✔ nothing is left')

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { stopCluster } from './cluster/cluster.ts'
import { controlGroups } from './cluster/control-groups.ts'
import { defaultInstance, instanceLayout } from './cluster/instance-layout.ts'
import { OPERATOR_NAMESPACE, QUICKSTART, RELEASE } from './install-truenow.ts'
import { namespacePresence } from './made-by-up.ts'
import { planDown } from './plan-down.ts'
import { helm, kubectl, type Target, targetOfContext } from './target.ts'
import { whyCrdsStay } from './why-crds-stay.ts'

/** `make down`: our own cluster goes whole; of a cluster that KUBE_CONTEXT names, only what `make up` put there. */
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const PLURALS = ['truenowclusters', 'tables', 'rebalances'] as const

async function downOwnCluster(): Promise<void> {
  const instance = defaultInstance(root, 'up')
  const { directory, machineName } = instanceLayout(root, instance)
  if (!existsSync(directory) && !controlGroups(machineName).exists()) {
    console.log(`There is no cluster of \`make up\` of this checkout (${instance}); nothing to take down.`)
    return
  }
  await stopCluster(instance, root, console.log)
  console.log(`✔ cluster ${instance} is gone, and nothing of it is left`)
}

async function downOnGivenCluster(target: Target): Promise<void> {
  const operator = await namespacePresence(target, OPERATOR_NAMESPACE)
  const quickstart = await namespacePresence(target, QUICKSTART.namespace)
  const plan = planDown({ operator, quickstart })
  const left = [...plan.left]
  const deleteNamespace = (name: string) =>
    kubectl(target, ['delete', 'namespace', name, '--ignore-not-found', '--timeout=120s'])
  if (plan.quickstart) await deleteNamespace(QUICKSTART.namespace)
  if (plan.operator) {
    await helm(target, ['uninstall', RELEASE, '-n', OPERATOR_NAMESPACE, '--wait', '--ignore-not-found'])
    await deleteNamespace(OPERATOR_NAMESPACE)
  }
  const crds = await crdsThere(target)
  const objects = await objectsOf(target, crds)
  const releases = crds.map(({ release }) => release)
  const why = whyCrdsStay({ operator, releases, objects }, `${OPERATOR_NAMESPACE}/${RELEASE}`)
  if (why !== undefined) left.push(`the CRDs: ${why}`)
  else if (crds.length > 0) await kubectl(target, ['delete', ...crds.map(({ name }) => `crd/${name}`)])
  const took = plan.quickstart || plan.operator
  if (left.length === 0) console.log('✔ nothing is left')
  else console.log(`${took ? '✔ what `make up` made is gone' : 'nothing was taken away'}; left are`)
  for (const line of left) console.log(`  ${line}`)
}

async function crdsThere(target: Target): Promise<Array<{ name: string; plural: string; release: string }>> {
  const names = PLURALS.map((plural) => `crd/${plural}.truenow.io`)
  const found = await kubectl(target, ['get', ...names, '--ignore-not-found', '-o', 'json'])
  if (found.trim() === '') return []
  const { items } = JSON.parse(found)
  return items.map(({ metadata, spec }: { metadata: Metadata; spec: { names: { plural: string } } }) => {
    const { 'meta.helm.sh/release-namespace': namespace, 'meta.helm.sh/release-name': name } =
      metadata.annotations ?? {}
    const release = namespace === undefined ? '' : `${namespace}/${name}`
    return { name: metadata.name, plural: spec.names.plural, release }
  })
}
type Metadata = Readonly<{ name: string; annotations?: Readonly<Record<string, string>> }>

async function objectsOf(target: Target, crds: ReadonlyArray<{ name: string; plural: string }>) {
  const objects: Record<string, number> = {}
  for (const { name, plural } of crds) {
    const names = await kubectl(target, ['get', name, '--all-namespaces', '-o', 'name'])
    objects[plural] = names.split('\n').filter((line) => line !== '').length
  }
  return objects
}

const { KUBE_CONTEXT: context = '' } = process.env
await (context === '' ? downOwnCluster() : downOnGivenCluster(targetOfContext(context)))

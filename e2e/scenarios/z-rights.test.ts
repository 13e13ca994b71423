import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { OPERATOR_NAMESPACE } from '../install-truenow.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'

/*
 * The last file by name: the API server's audit log of all others says what the operator asked for. Each of it was granted, and each that is
 * granted was asked for, but for what is listed here with its reason.
 */
type Rule = Readonly<{
  apiGroups?: readonly string[]
  resources?: readonly string[]
  verbs: readonly string[]
}>
type AuditEvent = Readonly<{
  verb: string
  user?: Readonly<{ username?: string }>
  objectRef?: Readonly<{ apiGroup?: string; resource?: string; subresource?: string; namespace?: string }>
  responseStatus?: Readonly<{ code?: number; message?: string }>
}>

/** Granted for what this Kubernetes, or these scenarios, do not have. */
const NOT_HERE: ReadonlyArray<readonly [right: RegExp, why: string]> = [
  [/ monitoring\.coreos\.com\//, 'the Prometheus Operator is not installed here'],
  [
    /^update truenow\.io\/truenowclusters\/finalizers$/,
    'asked for by an admission check that is off by default',
  ],
  [/^get truenow\.io\/rebalances$/, 'the rebalancer API asks so for one that the cache does not show yet'],
]

const ACCOUNT = `system:serviceaccount:${OPERATOR_NAMESPACE}:truenow`
const nameOf = (verb: string, group: string, resource: string) =>
  `${verb} ${group === '' ? 'core' : group}/${resource}`

test('rights: what the operator asks for is what it is granted, both ways', async (t) => {
  const cluster = await testCluster()
  const granted = await grantedRights(cluster)
  const used = new Set<string>()
  const refused = new Map<string, string>()
  for await (const line of createInterface({ input: createReadStream(cluster.auditLogPath) })) {
    const { verb, user, objectRef, responseStatus } = JSON.parse(line) as AuditEvent
    if (!user?.username?.startsWith(ACCOUNT) || objectRef?.resource === undefined) continue
    const { apiGroup = '', resource, subresource } = objectRef
    const full = subresource === undefined ? resource : `${resource}/${subresource}`
    const { code, message = '' } = responseStatus ?? {}
    if (code === 403 && message.includes('cannot')) refused.set(nameOf(verb, apiGroup, full), message)
    else used.add(nameOf(verb, apiGroup, full))
    // Server-side apply of what is not there yet: logged as a patch, and both rights were asked for.
    if (verb === 'patch' && code === 201) used.add(nameOf('create', apiGroup, full))
  }
  assert.ok(used.size > 10, `only ${used.size} rights were used: is the audit log of this cluster on?`)
  const unused = [...granted].filter((right) => !used.has(right)).toSorted()
  t.diagnostic(`granted and unused: ${unused.join(', ') || 'none'}`)
  assert.deepEqual([...refused], [], 'asked for and not granted')
  const unexplained = unused.filter((right) => !NOT_HERE.some(([pattern]) => pattern.test(right)))
  assert.deepEqual(unexplained, [], 'granted and never asked for')
})

/** Of every Role and ClusterRole that is bound to the operator's ServiceAccount. */
async function grantedRights(cluster: Cluster): Promise<Set<string>> {
  const list = async (kind: string) =>
    JSON.parse(await kubectl(cluster, ['get', kind, '-A', '-o', 'json'])).items
  const rights = new Set<string>()
  for (const kind of ['rolebindings', 'clusterrolebindings'])
    for (const { subjects = [], roleRef, metadata } of await list(kind)) {
      const isOurs = subjects.some(
        (one: { kind: string; name: string; namespace?: string }) =>
          one.kind === 'ServiceAccount' &&
          `system:serviceaccount:${one.namespace}:${one.name}`.startsWith(ACCOUNT),
      )
      if (!isOurs) continue
      const at = roleRef.kind === 'Role' ? ['-n', metadata.namespace] : []
      const role = JSON.parse(
        await kubectl(cluster, [...at, 'get', roleRef.kind.toLowerCase(), roleRef.name, '-o', 'json']),
      )
      for (const { apiGroups = [], resources = [], verbs } of role.rules as Rule[])
        for (const group of apiGroups)
          for (const resource of resources)
            for (const verb of verbs) rights.add(nameOf(verb, group, resource))
    }
  return rights
}

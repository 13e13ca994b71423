import type { Presence } from './plan-down.ts'
import { kubectl, type Target } from './target.ts'

const MARK = { label: 'truenow.io/made-by', value: 'make-up' } as const

/**
 * Creates a namespace with the mark by which `make down` knows it; one that is there already stays as it is, without a
 * mark. Mark and namespace appear at once, so a `make up` that is killed leaves nothing that `make down` would not know.
 */
export async function createMarkedNamespace(target: Target, name: string): Promise<void> {
  if ((await namespacePresence(target, name)) !== 'absent') return
  const metadata = { name, labels: { [MARK.label]: MARK.value } }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata }
  await kubectl(target, ['create', '-f', '-'], JSON.stringify(namespace))
}

/** Whether a namespace is there, and whether it bears the mark. */
export async function namespacePresence(target: Target, name: string): Promise<Presence> {
  const found = await kubectl(target, ['get', 'namespace', name, '--ignore-not-found', '-o', 'json'])
  if (found.trim() === '') return 'absent'
  return JSON.parse(found).metadata.labels?.[MARK.label] === MARK.value ? 'ours' : 'foreign'
}

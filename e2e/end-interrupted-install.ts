import { setTimeout as sleep } from 'node:timers/promises'
import { kubectl, type Target } from './target.ts'

/** A helm whose `make up` alone was killed goes on and ends soon: it is waited for. */
const WAIT_MS_MAX = 5_000
const POLL_MS = 500

/**
 * A helm that was killed leaves its release pending, and every later helm refuses to touch it. The record of that attempt is
 * removed; what it made bears the release's name, so the next attempt takes it over.
 */
export async function endInterruptedInstall(
  target: Target,
  namespace: string,
  release: string,
): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX
  let pending = await pendingRecords(target, namespace, release)
  while (pending.length > 0 && performance.now() < giveUpAt) {
    await sleep(POLL_MS)
    pending = await pendingRecords(target, namespace, release)
  }
  for (const record of pending)
    await kubectl(target, ['-n', namespace, 'delete', record, '--ignore-not-found'])
}

async function pendingRecords(target: Target, namespace: string, release: string): Promise<string[]> {
  const label = `owner=helm,name=${release},status in (pending-install,pending-upgrade,pending-rollback)`
  const names = await kubectl(target, ['-n', namespace, 'get', 'secrets', '-l', label, '-o', 'name'])
  return names.split('\n').filter((name) => name !== '')
}

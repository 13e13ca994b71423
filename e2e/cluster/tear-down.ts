import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { controlGroups } from './control-groups.ts'
import type { InstanceLayout } from './instance-layout.ts'
import { signalPidFile } from './pid-file.ts'

/**
 * Ends every process of the instance at once; nothing is asked to stop, so a dead containerd or API server hinders
 * nothing. Mounts, interfaces and rules are in namespaces that end with their last process. Then files go.
 */
export async function tearDown(layout: InstanceLayout): Promise<void> {
  rmSync(layout.readyMark, { force: true }) // From here on it counts as half-built.
  if (existsSync(layout.pids)) {
    for (const file of readdirSync(layout.pids)) signalPidFile(join(layout.pids, file), 'SIGKILL')
  }
  const groups = controlGroups(layout.machineName)
  await groups.killAll()
  await groups.remove()
  rmSync(layout.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  if (layout.relaySocketDirectory !== layout.directory) {
    rmSync(layout.relaySocketDirectory, { recursive: true, force: true })
  }
  removeIfEmpty(dirname(layout.directory))
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Another instance lives there.
  }
}

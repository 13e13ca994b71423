import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlGroups } from './control-groups.ts'
import { logTail, pidFile, startDaemon } from './daemon.ts'
import type { InstanceLayout } from './instance-layout.ts'
import { namespaceScript } from './namespace-script.ts'
import { runningPid } from './pid-file.ts'
import { pollUntil } from './poll-until.ts'
import type { Toolbox } from './toolbox.ts'

const name = 'namespaces'

/** The process that keeps the instance's namespaces open; nsenter finds them through it. */
export const holderPid = (layout: InstanceLayout): number | undefined => runningPid(pidFile(layout, name))

/** Opens the instance's network and mount namespaces and sets them up. */
export async function openNamespaces(
  layout: InstanceLayout,
  groups: ControlGroups,
  toolbox: Toolbox,
): Promise<number> {
  const mark = join(layout.directory, 'namespaces-ready')
  rmSync(mark, { force: true })
  for (const directory of [layout.state, layout.volumes]) mkdirSync(directory, { recursive: true })
  const command = [
    'unshare',
    '--net',
    '--mount',
    '--propagation',
    'slave',
    '/bin/sh',
    '-c',
    namespaceScript(layout),
  ]
  const daemon = { name, command, environment: toolbox.environment, namespaces: 'host' } as const
  const pid = startDaemon(layout, groups, daemon, 0)
  await pollUntil('network and mount namespaces', 15_000, () => existsSync(mark) || undefined, 20).catch(
    (error) => {
      throw new Error(`${error.message}\n${logTail(layout, name)}`)
    },
  )
  return pid
}

import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Progress } from '../progress.ts'
import { buildBinaries } from './binaries/build-binaries.ts'
import { commandLineTools } from './command-line-tools.ts'
import { libraryDirectories, unpackPackages } from './debian/unpack-packages.ts'

/** All programs the cluster runs, and the environment in which they find one another and their libraries. */
export type Toolbox = Readonly<{
  debian: string
  kubernetes: string
  commandLine: string
  environment: Readonly<Record<string, string>>
  /** Put before a command, it joins the instance's control group: `down` finds it even when its parent was killed. */
  tracked: readonly string[]
}>

const iptablesNames = [
  'iptables',
  'iptables-save',
  'iptables-restore',
  'ip6tables',
  'ip6tables-save',
  'ip6tables-restore',
]

/** Brings together what is cached, building or downloading what is not. Call it under the checkout's build lock. */
export async function prepareToolbox(
  root: string,
  step: Progress,
  tracked: readonly string[],
): Promise<Toolbox> {
  const debian = await step('Debian packages unpacked into .cache', () =>
    unpackPackages(root, 'tools', tracked),
  )
  const commandLine = await step('kubectl and helm', async () => commandLineTools(root))
  const kubernetes = await step('Kubernetes and CoreDNS binaries', () => buildBinaries(root, tracked))
  linkIptables(debian)
  return toolbox(debian, kubernetes, commandLine, tracked)
}

function toolbox(
  debian: string,
  kubernetes: string,
  commandLine: string,
  tracked: readonly string[],
): Toolbox {
  const path = [
    join(debian, 'links'),
    ...['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((directory) => join(debian, directory)),
    ...[kubernetes, commandLine].filter(Boolean),
    ...['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'],
  ]
  return {
    debian,
    kubernetes,
    commandLine,
    tracked,
    environment: {
      PATH: path.join(':'),
      LD_LIBRARY_PATH: libraryDirectories(debian).join(':'),
      XTABLES_LIBDIR: join(debian, 'usr/lib/x86_64-linux-gnu/xtables'),
    },
  }
}

/** Enough to build images that need nothing of Kubernetes. */
export const debianToolbox = (debian: string): Toolbox => toolbox(debian, '', '', [])

/** Debian makes `iptables` a link when the package is installed; unpacked, it has to be made here. */
function linkIptables(debian: string): void {
  const links = join(debian, 'links')
  if (existsSync(links)) return
  const work = `${links}.new`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work)
  for (const name of iptablesNames) symlinkSync('../usr/sbin/xtables-nft-multi', join(work, name))
  renameSync(work, links)
}

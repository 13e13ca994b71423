import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inNamespaces } from '../daemon.ts'
import type { InstanceLayout } from '../instance-layout.ts'
import { mustRun } from '../run-command.ts'
import type { Toolbox } from '../toolbox.ts'
import type { BuiltImage } from './build-image.ts'

/** Imports an archive into the instance's containerd, unless that very content is there already. */
export async function loadImage(
  layout: InstanceLayout,
  toolbox: Toolbox,
  holder: number,
  { name, key, archive }: BuiltImage,
): Promise<void> {
  const loaded = join(layout.state, 'loaded-images')
  const mark = join(loaded, name.replaceAll('/', '_'))
  if (existsSync(mark) && readFileSync(mark, 'utf8') === key) return
  const load = ['ctr', '-n', 'k8s.io', 'images', 'import', archive]
  await mustRun(inNamespaces(holder, 'both', load), { environment: toolbox.environment })
  mkdirSync(loaded, { recursive: true })
  writeFileSync(mark, key)
}

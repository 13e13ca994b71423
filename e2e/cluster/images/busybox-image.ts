import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Toolbox } from '../toolbox.ts'
import type { ImageRecipe } from './build-image.ts'
import { contentHash } from './content-hash.ts'
import { pauseImage } from './pause-image.ts'

/** Programs of busybox that get a name of their own in our images. Not wget and nc: statically linked, they crash in getaddrinfo. */
const applets = [
  'sh',
  'ash',
  'cat',
  'cp',
  'date',
  'echo',
  'env',
  'grep',
  'head',
  'hostname',
  'id',
  'ls',
  'mkdir',
]
const moreApplets = [
  'mv',
  'nc',
  'nslookup',
  'ps',
  'rm',
  'sed',
  'sleep',
  'tail',
  'test',
  'touch',
  'true',
  'wget',
  'wc',
]

/** Puts busybox, its names, and the accounts into a directory that becomes an image. */
export function addBusybox(toolbox: Toolbox, directory: string): void {
  for (const part of ['bin', 'etc', 'tmp']) mkdirSync(join(directory, part), { recursive: true })
  copyFileSync(join(toolbox.debian, 'bin/busybox'), join(directory, 'bin/busybox'))
  for (const applet of [...applets, ...moreApplets]) symlinkSync('busybox', join(directory, 'bin', applet))
  addAccounts(directory)
}

/** Programs that look up their own user need these. */
export function addAccounts(directory: string): void {
  mkdirSync(join(directory, 'etc'), { recursive: true })
  writeFileSync(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\ntruenow:x:65532:65532:TrueNow:/tmp:/bin/sh\n',
  )
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\ntruenow:x:65532:\n')
  writeFileSync(join(directory, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n')
}

/** The pause image, and a shell for tests. */
export const busyboxImage = (_root: string, toolbox: Toolbox): ImageRecipe => ({
  name: pauseImage,
  key: contentHash([readFileSync(join(toolbox.debian, 'bin/busybox')), ...applets, ...moreApplets]),
  fill: async (directory) => addBusybox(toolbox, directory),
  entrypoint: ['/bin/sleep', '2147483647'],
})

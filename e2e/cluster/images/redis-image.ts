import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { libraryDirectories, unpackPackages } from '../debian/unpack-packages.ts'
import type { Toolbox } from '../toolbox.ts'
import type { ImageRecipe } from './build-image.ts'
import { addBusybox } from './busybox-image.ts'
import { contentHash } from './content-hash.ts'
import { copyProgram } from './copy-program.ts'
import { addEntrypoint, entrypointText } from './entrypoint-file.ts'

export const redisImageName = 'localhost/truenow-redis:7'

/** Redis 7 from Debian's package, without installing it. Environment and volumes: README.md. */
export async function redisImage(root: string, toolbox: Toolbox): Promise<ImageRecipe> {
  const unpacked = await unpackPackages(root, 'redis', toolbox.tracked)
  const server = join(unpacked, 'usr/bin/redis-server')
  return {
    name: redisImageName,
    key: contentHash([readFileSync(server), entrypointText('redis')]),
    entrypoint: ['/entrypoint'],
    fill: async (directory) => {
      const search = libraryDirectories(unpacked)
      addBusybox(toolbox, directory)
      addEntrypoint('redis', directory)
      await copyProgram(server, directory, 'usr/bin/redis-server', search)
      await copyProgram(join(unpacked, 'usr/bin/redis-cli'), directory, 'usr/bin/redis-cli', search)
    },
  }
}

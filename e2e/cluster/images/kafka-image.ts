import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Toolbox } from '../toolbox.ts'
import type { ImageRecipe } from './build-image.ts'
import { addBusybox } from './busybox-image.ts'
import { contentHash } from './content-hash.ts'
import { copyLibraries } from './copy-program.ts'
import { addEntrypoint, entrypointText } from './entrypoint-file.ts'
import { kafkaFiles } from './kafka-files.ts'

export const kafkaImageName = 'localhost/truenow-kafka:4.1.1'

/** Parts of the Java runtime that only draw or play: their libraries are not on a server. */
const graphical = /awt|font|lcms|splash|javajpeg|mlib|jsound/

/** Kafka 4.1 in KRaft mode on a runtime of its own. Environment and volumes: README.md. */
export async function kafkaImage(root: string, toolbox: Toolbox): Promise<ImageRecipe> {
  const { jars, runtime, key } = await kafkaFiles(root, toolbox.tracked)
  return {
    name: kafkaImageName,
    key: contentHash([key, entrypointText('kafka')]),
    entrypoint: ['/entrypoint'],
    fill: async (directory) => {
      addBusybox(toolbox, directory)
      addEntrypoint('kafka', directory)
      mkdirSync(join(directory, 'opt'))
      cpSync(jars, join(directory, 'opt/kafka'), { recursive: true })
      cpSync(runtime, join(directory, 'opt/java'), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => !(path.endsWith('.so') && graphical.test(path)),
      })
      const own = [join(runtime, 'lib'), join(runtime, 'lib/server')]
      const libraries = own.flatMap((folder) =>
        readdirSync(folder)
          .filter((file) => file.endsWith('.so') && !graphical.test(file))
          .map((file) => join(folder, file)),
      )
      for (const program of [join(runtime, 'bin/java'), ...libraries])
        await copyLibraries(program, directory, own)
    },
  }
}

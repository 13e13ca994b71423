import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { libraryDirectories, unpackPackages } from '../debian/unpack-packages.ts'
import type { Toolbox } from '../toolbox.ts'
import type { ImageRecipe } from './build-image.ts'
import { addBusybox } from './busybox-image.ts'
import { contentHash } from './content-hash.ts'
import { copyLibraries, copyProgram } from './copy-program.ts'
import { addEntrypoint, entrypointText } from './entrypoint-file.ts'

export const postgresImageName = 'localhost/truenow-postgres:15'

const home = 'usr/lib/postgresql/15'
const programs = ['initdb', 'pg_ctl', 'pg_isready', 'postgres', 'psql']
/** Loaded by the server at run time; the rest are contributed extensions and the compiler for queries. */
const modules =
  /^(plpgsql|dict_snowball|libpqwalreceiver|pgoutput|pg_stat_statements|pgcrypto|.*_and_.*)\.so$/
const extensions = /\/extension\/(?!plpgsql|pg_stat_statements|pgcrypto)/

/** PostgreSQL 15 from Debian's package, without installing it. Environment and volumes: README.md. */
export async function postgresImage(root: string, toolbox: Toolbox): Promise<ImageRecipe> {
  const unpacked = await unpackPackages(root, 'postgres', toolbox.tracked)
  return {
    name: postgresImageName,
    key: contentHash([basename(unpacked), entrypointText('postgres'), modules.source, ...programs]),
    entrypoint: ['/entrypoint'],
    fill: async (directory) => {
      const search = libraryDirectories(unpacked)
      addBusybox(toolbox, directory)
      addEntrypoint('postgres', directory)
      for (const program of programs) {
        await copyProgram(join(unpacked, home, 'bin', program), directory, `${home}/bin/${program}`, search)
      }
      for (const module of readdirSync(join(unpacked, home, 'lib')).filter((file) => modules.test(file))) {
        mkdirSync(join(directory, home, 'lib'), { recursive: true })
        cpSync(join(unpacked, home, 'lib', module), join(directory, home, 'lib', module))
        await copyLibraries(join(unpacked, home, 'lib', module), directory, search)
      }
      for (const share of ['usr/share/postgresql/15', 'usr/share/zoneinfo']) {
        mkdirSync(dirname(join(directory, share)), { recursive: true })
        cpSync(join(unpacked, share), join(directory, share), {
          recursive: true,
          verbatimSymlinks: true,
          filter: (path) => !extensions.test(path) && !path.includes('/15/man'),
        })
      }
    },
  }
}

import { createMemoryRunFiles } from '../memory-run-files.ts'
import type { RunFileReader, RunFiles } from '../run-files.ts'

export type RunOperation = 'create' | 'append' | 'commit' | 'open' | 'read'

/** Run files that fail where `fails` says so; `damage` may change what is read. */
export function createFaultyRunFiles(
  fails: (operation: RunOperation) => boolean,
  damage: (into: Uint8Array, name: string, offset: number) => void = () => {},
): RunFiles {
  const files = createMemoryRunFiles()
  const may = (operation: RunOperation): void => {
    if (fails(operation)) throw new Error(`EIO: i/o error, ${operation}`)
  }
  const faulty = (reader: RunFileReader): RunFileReader => ({
    ...reader,
    read: (into, offset) => {
      may('read')
      reader.read(into, offset)
      damage(into, reader.name, offset)
    },
  })
  return {
    ...files,
    create: () => {
      may('create')
      const writer = files.create()
      return {
        ...writer,
        append: (bytes) => {
          may('append')
          writer.append(bytes)
        },
        commit: () => {
          may('commit')
          return faulty(writer.commit())
        },
      }
    },
    open: (name) => {
      may('open')
      return faulty(files.open(name))
    },
  }
}

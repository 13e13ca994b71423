import type { RunFileReader, RunFiles } from './run-files.ts'

/** Run files in memory: for a replica without a volume. They are counted as what they are, resident. */
export function createMemoryRunFiles(): RunFiles {
  const files = new Map<string, Uint8Array>()
  let created = 0
  const open = (name: string): RunFileReader => {
    const bytes = files.get(name)
    if (bytes === undefined) throw new Error(`no run file ${name}`)
    return {
      name,
      size: bytes.length,
      read: (into, offset) => {
        if (offset + into.length > bytes.length)
          throw new Error(`${name} ends before ${offset + into.length}`)
        into.set(bytes.subarray(offset, offset + into.length))
      },
      close: () => {},
    }
  }
  return {
    create: () => {
      const name = `run-${created++}`
      const chunks: Uint8Array[] = []
      return {
        name,
        append: (bytes) => void chunks.push(bytes.slice()),
        commit: () => {
          files.set(name, Buffer.concat(chunks))
          return open(name)
        },
        abort: () => void files.delete(name),
      }
    },
    open,
    remove: (name) => void files.delete(name),
    residentBytes: () => [...files.values()].reduce((sum, { length }) => sum + length, 0),
  }
}

export type Progress = <T>(what: string, work: () => Promise<T>) => Promise<T>

/** Prints one line a step, with its time: `✔ chart installed (3.1 s)`; a failed one says where it stood. */
export function createProgress(print: (line: string) => void): Progress {
  return async (what, work) => {
    const startedMs = performance.now()
    const seconds = () => ((performance.now() - startedMs) / 1_000).toFixed(1)
    try {
      const result = await work()
      print(`✔ ${what} (${seconds()} s)`)
      return result
    } catch (error) {
      print(`✘ ${what} (${seconds()} s)`)
      throw error
    }
  }
}

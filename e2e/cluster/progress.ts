export type Step = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** Tells each step when it is done and how long it took: `✔ kube-apiserver ready (4.8 s)`. */
export const progress =
  (log: (line: string) => void): Step =>
  async (name, work) => {
    const startMs = performance.now()
    try {
      const result = await work()
      log(`✔ ${name} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`)
      return result
    } catch (error) {
      log(`✘ ${name} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`)
      throw error
    }
  }

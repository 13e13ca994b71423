import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../../e2e/load/seeded-random.ts'
import type { CrashStory } from './crash-stories.ts'
import type { CrashLayer } from './crash-world.ts'
import type { Pool } from './create-pool.ts'
import { FAULTS } from './faults.ts'
import { type Fault, startFaultyApiServer } from './faulty-api-server.ts'
import { walkStory } from './walk-story.ts'

export type FaultResult = Readonly<{
  fault: string
  story: string
  /** Times that the fault struck. */
  faults: number
  /** A second, once all stands, beside the Lease; the operator looks at everything once a second here. */
  requestsPerSecond: number
  /** Why it did not come to the same end; absent when it did. */
  why?: string
}>

const COUNT_MS = 10_000
/** A loop without a brake makes the client's 50. */
export const REQUESTS_PER_SECOND_MAX = 20

/** Walks a protocol undisturbed, then under each fault: the end is the same, and afterwards little is asked. */
export async function walkFaults(
  layer: CrashLayer,
  story: CrashStory,
  options: Readonly<{ pool: Pool; prefix: string; seed: number; print: (line: string) => void }>,
): Promise<readonly FaultResult[]> {
  const { pool, prefix, seed, print } = options
  const { end } = await pool(() => walkStory(layer, story, { namespace: `${prefix}-whole` }))
  const walk = async (fault: Fault, number: number): Promise<FaultResult> => {
    const server = await startFaultyApiServer(layer.api, fault, seededRandom(seed + number))
    const counted = { requests: 0, seconds: 1 }
    try {
      await walkStory(layer, story, {
        namespace: `${prefix}-${number}`,
        expected: end,
        connect: server.connect,
        afterwards: async () => {
          const before = server.counts.requests
          const startedMs = performance.now()
          await delay(COUNT_MS)
          counted.seconds = (performance.now() - startedMs) / 1_000
          counted.requests = server.counts.requests - before
        },
      })
      const requestsPerSecond = Math.round((counted.requests / counted.seconds) * 10) / 10
      const { faults } = server.counts
      const told = { fault: fault.name, story: story.name, faults, requestsPerSecond }
      print(`${story.name}, ${fault.name}: ${faults} times, then ${requestsPerSecond} requests a second`)
      if (faults === 0) return { ...told, why: 'the fault never struck, so nothing is proved' }
      if (requestsPerSecond <= REQUESTS_PER_SECOND_MAX) return told
      return { ...told, why: `${requestsPerSecond} requests a second at rest` }
    } catch (error) {
      const why = (error as Error).message
      print(`${story.name}, ${fault.name}: ${why}`)
      return { fault: fault.name, story: story.name, faults: server.counts.faults, requestsPerSecond: Number.NaN, why } // biome-ignore format: one line
    } finally {
      await server.close()
    }
  }
  return Promise.all(FAULTS.map((fault, number) => pool(() => walk(fault, number))))
}

import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../../e2e/load/seeded-random.ts'
import type { CrashStory } from './crash-stories.ts'
import type { CrashLayer } from './crash-world.ts'
import { FAULTS } from './faults.ts'
import { type Fault, startFaultyApiServer } from './faulty-api-server.ts'
import type { WalkAll } from './walk-crash-points.ts'
import { walkStory } from './walk-story.ts'

export type FaultResult = Readonly<{
  fault: string
  /** Times that the fault struck. */
  struck: number
  /** A second, once all stands, beside the Lease; the operator looks at everything once a second here. */
  requestsPerSecond: number
  /** Why it did not come to the same end; absent when it did. */
  why?: string
}>
export type FaultsResult = Readonly<{ story: string; faults: readonly FaultResult[] }>

const COUNT_MS = 10_000
/** A loop without a brake makes the client's 50. */
export const REQUESTS_PER_SECOND_MAX = 20

/** Walks a protocol undisturbed, then under each fault: the end is the same, and afterwards little is asked. */
export async function walkFaults(
  layer: CrashLayer,
  story: CrashStory,
  options: WalkAll & Readonly<{ seed: number }>,
): Promise<FaultsResult> {
  const { pool, rank, prefix, seed, print } = options
  const { end } = await pool(() => walkStory(layer, story, { namespace: `${prefix}-whole` }), rank)
  const walk = async (fault: Fault, number: number): Promise<FaultResult> => {
    const server = await startFaultyApiServer(layer.api, fault, seededRandom(seed + number))
    let requestsPerSecond = Number.NaN
    const told = (why?: string): FaultResult => {
      const { faults: struck } = server.counts
      print(`${story.name}, ${fault.name}: ${struck} times, then ${requestsPerSecond} requests a second${why === undefined ? '' : `: ${why}`}`) // biome-ignore format: one line
      return { fault: fault.name, struck, requestsPerSecond, ...(why !== undefined && { why }) }
    }
    try {
      await walkStory(layer, story, {
        namespace: `${prefix}-${number}`,
        expected: end,
        connect: server.connect,
        afterwards: async () => {
          const before = server.counts.requests
          const startedMs = performance.now()
          await delay(COUNT_MS)
          const seconds = (performance.now() - startedMs) / 1_000
          requestsPerSecond = Math.round(((server.counts.requests - before) / seconds) * 10) / 10
        },
      })
      if (server.counts.faults === 0) return told('the fault never struck, so nothing is proved')
      return told(requestsPerSecond <= REQUESTS_PER_SECOND_MAX ? undefined : 'it asks too often at rest')
    } catch (error) {
      return told((error as Error).message)
    } finally {
      await server.close()
    }
  }
  const faults = await Promise.all(FAULTS.map((fault, number) => pool(() => walk(fault, number), rank)))
  return { story: story.name, faults }
}

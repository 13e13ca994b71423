import type { CrashStory } from './crash-stories.ts'
import type { CrashLayer } from './crash-world.ts'
import type { Pool } from './create-pool.ts'
import { type EndState, hashOf } from './end-state.ts'
import { NotPrepared, walkStory } from './walk-story.ts'

export type StoryResult = Readonly<{
  story: string
  /** Writes after which the operator was killed. */
  points: number
  /** Writes that did not come again when they were waited for: how often status is written depends on the moment. */
  notReached: readonly string[]
  failed: ReadonlyArray<Readonly<{ point: string; why: string }>>
  endHash: string
  seconds: number
}>

/** Times that a point is waited for before it counts as not reached. */
const TRIES = 3

/**
 * Walks a protocol once undisturbed, then once for each of its writes with the operator killed after it, also for writes that only
 * such a walk showed, until there is none left.
 */
export async function walkCrashPoints(
  layer: CrashLayer,
  story: CrashStory,
  options: Readonly<{ pool: Pool; prefix: string; print: (line: string) => void }>,
): Promise<StoryResult> {
  const { pool, prefix, print } = options
  const startedMs = performance.now()
  let worlds = 0
  const walk = (at: { dies?: (write: string) => boolean; expected?: EndState }) =>
    pool(() => walkStory(layer, story, { ...at, namespace: `${prefix}-${worlds++}` }))
  const { writes, end } = await walk({})
  print(`${story.name}: ${writes.length} writes undisturbed, end ${hashOf(end)}`)

  const known = new Set<string>()
  const notReached: string[] = []
  const failed: Array<{ point: string; why: string }> = []
  const kill = async (point: string): Promise<void> => {
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        const walked = await walk({ dies: (write) => write === point, expected: end })
        add(walked.writes)
        if (walked.died) return print(`${story.name}: killed after ${point}`)
      } catch (error) {
        if (error instanceof NotPrepared && tries + 1 < TRIES) continue
        failed.push({ point, why: (error as Error).message })
        return print(`${story.name}: killed after ${point}: ${(error as Error).message}`)
      }
    }
    notReached.push(point)
  }
  const work: Array<Promise<void>> = []
  const add = (points: readonly string[]): void => {
    for (const point of points) {
      if (known.has(point)) continue
      known.add(point)
      work.push(kill(point))
    }
  }
  add(writes)
  for (let at = 0; at < work.length; at++) await work[at]
  return {
    story: story.name,
    points: known.size - notReached.length,
    notReached,
    failed,
    endHash: hashOf(end),
    seconds: Math.round((performance.now() - startedMs) / 1_000),
  }
}

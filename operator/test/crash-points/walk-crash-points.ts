import type { CrashStory } from './crash-stories.ts'
import type { CrashLayer } from './crash-world.ts'
import type { Pool } from './create-pool.ts'
import { type EndState, hashOf } from './end-state.ts'
import { NotPrepared, type Walk, walkStory } from './walk-story.ts'

export type StoryResult = Readonly<{
  story: string
  /** Writes that any walk showed. */
  writes: number
  /** Writes after which the operator was killed. */
  points: number
  /** Writes that did not come again when they were waited for: how often status is written depends on the moment. */
  notReached: readonly string[]
  failed: ReadonlyArray<Readonly<{ point: string; why: string }>>
  endHash: string
  seconds: number
}>
export type WalkAll = Readonly<{
  pool: Pool
  /** Lower ones come to their end before higher ones begin, where there is no room for all. */
  rank: number
  /** Of the namespaces of its worlds. */
  prefix: string
  print: (line: string) => void
}>

/** Times that a point is waited for before it counts as not reached. */
const TRIES = 2
/** What fails where the protocol does not come to an end even when nobody is killed. */
const UNDISTURBED = 'nothing'

/**
 * Walks a protocol once undisturbed, then once for each of its writes that `points` names with the operator killed after it, also
 * for writes that only such a walk showed, until there is none left.
 */
export async function walkCrashPoints(
  layer: CrashLayer,
  story: CrashStory,
  options: WalkAll & Readonly<{ points: RegExp }>,
): Promise<StoryResult> {
  const { pool, rank, prefix, points, print } = options
  const startedMs = performance.now()
  let worlds = 0
  const walk = (at: { dies?: (write: string) => boolean; expected?: EndState }) =>
    pool(() => walkStory(layer, story, { ...at, namespace: `${prefix}-${worlds++}` }), rank)
  const known = new Set<string>()
  const notReached: string[] = []
  const failed: Array<{ point: string; why: string }> = []
  const fail = (point: string, error: unknown) => {
    const why = (error as Error).message
    failed.push({ point, why })
    print(`${story.name}: killed after ${point}: ${why}`)
  }
  const kill = async (point: string, end: EndState): Promise<void> => {
    for (let tries = 1; tries <= TRIES; tries++) {
      try {
        const walked = await walk({ dies: (write) => write === point, expected: end })
        add(walked)
        if (walked.died) return print(`${story.name}: killed after ${point}`)
      } catch (error) {
        if (error instanceof NotPrepared && tries < TRIES) continue
        return fail(point, error)
      }
    }
    notReached.push(point)
  }
  const work: Array<Promise<void>> = []
  let whole: Walk | undefined
  const add = ({ writes }: Walk): void => {
    for (const point of writes) {
      if (known.has(point)) continue
      known.add(point)
      if (whole !== undefined && points.test(point)) work.push(kill(point, whole.end))
    }
  }
  try {
    whole = await walk({})
    print(`${story.name}: ${whole.writes.length} writes undisturbed, end ${hashOf(whole.end)}`)
    add(whole)
  } catch (error) {
    fail(UNDISTURBED, error)
  }
  for (let at = 0; at < work.length; at++) await work[at]
  return {
    story: story.name,
    writes: known.size,
    points: work.length - notReached.length,
    notReached,
    failed,
    endHash: hashOf(whole?.end ?? []),
    seconds: Math.round((performance.now() - startedMs) / 1_000),
  }
}

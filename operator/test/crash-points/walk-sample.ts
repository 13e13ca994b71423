import assert from 'node:assert/strict'
import { seededRandom } from '../../../e2e/load/seeded-random.ts'
import type { CrashStory } from './crash-stories.ts'
import type { CrashLayer } from './crash-world.ts'
import { differences, hashOf } from './end-state.ts'
import { FAULTS } from './faults.ts'
import { type Fault, startFaultyApiServer } from './faulty-api-server.ts'
import { walkStory } from './walk-story.ts'

/** Of each protocol that is drawn: one walk undisturbed, and so many with a kill. */
const KILLS = 2
const PROTOCOLS = 2
/** With every write; most protocols have more than ten. */
const DEATH_CHANCE = 0.2

/**
 * Draws protocols, moments of death and a fault of one connection from `seed`, walks all of them beside one another, and answers in
 * words what struck. Errors: AssertionError where two walks of a protocol end differently.
 */
export async function walkSample(
  layer: CrashLayer,
  stories: readonly CrashStory[],
  { seed, prefix }: Readonly<{ seed: number; prefix: string }>,
): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const drawn = stories
    .filter((story) => story.drawn === true)
    .map((story) => ({ story, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, PROTOCOLS)
  const fault = FAULTS[Math.floor(random() * FAULTS.length)] as Fault
  const faulty = await startFaultyApiServer(layer.api, fault, random)
  const deaths = await Promise.all(
    drawn.map(async ({ story }, number) => {
      const walks = Array.from({ length: 1 + KILLS }, async (_, walk) => {
        const chance = seededRandom(seed + 100 * number + walk)
        const dies = () => walk > 0 && chance() < DEATH_CHANCE
        // One of those that are killed has a bad connection as well.
        const disturbed = number === 0 && walk === 1 ? { connect: faulty.connect } : {}
        return walkStory(layer, story, { namespace: `${prefix}${number}-${walk}`, dies, ...disturbed })
      })
      const [undisturbed, ...killed] = await Promise.all(walks)
      assert.ok(undisturbed !== undefined && !undisturbed.died)
      for (const { end, writes } of killed)
        assert.ok(
          hashOf(end) === hashOf(undisturbed.end),
          `${story.name}, killed after ${writes.at(-1)}: another end\n${differences(end, undisturbed.end)}`,
        )
      return killed.flatMap(({ died, writes }) =>
        died ? [`${story.name}: killed after ${writes.at(-1)}`] : [],
      )
    }),
  ).finally(faulty.close)
  assert.ok(faulty.counts.faults > 0, `${fault.name}: it never struck`)
  return [`under the fault "${fault.name}", ${faulty.counts.faults} times`, ...deaths.flat()]
}

import { setTimeout as delay } from 'node:timers/promises'
import { createWriteLog } from './crash-gate.ts'
import type { CrashStory } from './crash-stories.ts'
import { type CrashLayer, type CrashWorld, createCrashWorld } from './crash-world.ts'
import { differences, type EndState, hashOf } from './end-state.ts'
import type { RealApiServer } from './real-api-server.ts'
import { untilOver } from './until-over.ts'

/** Longer than an operator that rests takes to look again twice: what goes on by itself shows. */
const REST_MS = 2_500
/** A minute and more of a machine that runs. */
const REST_LOOKS_MAX = 30

export type Walk = Readonly<{
  /** Writes of the first life, by name, in order. */
  writes: readonly string[]
  died: boolean
  end: EndState
}>

export type WalkOptions = Readonly<{
  namespace: string
  dies?: (write: string) => boolean
  expected?: EndState
  /** How operators reach the API server. @default directly */
  connect?: RealApiServer['connect']
  /** Once all stands, while the operator runs on. */
  afterwards?: () => Promise<void>
}>

/** What stands before the protocol did not come about: of the protocol itself that says nothing. */
export class NotPrepared extends Error {
  override readonly name = 'NotPrepared'
}
const notPrepared = (cause: unknown): never => {
  throw new NotPrepared((cause as Error).message, { cause })
}

/**
 * Walks a protocol in a world of its own. After the first write of which `dies` says so the operator is killed, and another one
 * goes on. With `expected` the walk is over once all stands as that says, and still does a while later. Errors: where it does not
 * come to that, with the first differences; NotPrepared.
 */
export async function walkStory(layer: CrashLayer, story: CrashStory, at: WalkOptions): Promise<Walk> {
  const { namespace, dies, expected, connect, afterwards } = at
  const world = await createCrashWorld(layer, namespace, connect).catch(notPrepared)
  try {
    let dead: Promise<string | undefined> | undefined
    const log = createWriteLog(dies, () => {
      dead = world.holder() // For as long as the Lease lasts.
      world.startOperator()
    })
    /** What stands while nobody leads proves nothing of the next operator. */
    const whyNotFollowed = async () =>
      dead !== undefined && (await dead) === (await world.holder())
        ? 'the next operator does not lead yet'
        : undefined
    world.startOperator(log)
    await story.given(world).catch(notPrepared)
    log.counting = true
    await story.begin(world)
    await untilOver(async () => {
      await story.meanwhile?.(world)
      return (await story.isOver(world)) ?? whyNotFollowed()
    })
    const end = await endOf(world, expected)
    await afterwards?.()
    return { writes: [...log.writes], died: dead !== undefined, end }
  } catch (error) {
    if (error instanceof NotPrepared) throw error
    const said = world.errors.slice(-3).join('; ')
    throw new Error(`${(error as Error).message}${said && `\nthe operator said: ${said}`}`, { cause: error })
  } finally {
    await world.close()
  }
}

/** What stands once nothing changes any more; `expected` if that is given. */
async function endOf(world: CrashWorld, expected: EndState | undefined): Promise<EndState> {
  let end = await world.endState()
  await untilOver(async () => {
    await delay(REST_MS)
    const before = expected ?? end
    end = await world.endState()
    return hashOf(end) === hashOf(before) ? undefined : `it is another end:\n${differences(end, before)}`
  }, REST_LOOKS_MAX)
  return end
}

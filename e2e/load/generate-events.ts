import { seededRandom } from './seeded-random.ts'

/** An event of the quickstart's tables. Metrics are integers, so that a recount is exact in any order. */
export type LoadEvent = Readonly<{
  event_id: string
  event_time_us: number
  region: string
  product: string
  user_id: string
  latency_us: number | null
  revenue: number
  items: number
}>

export type LoadOptions = Readonly<{
  seed: number
  /** Told apart from other runs by this mark in `product`, so that one run never counts another's events. */
  run: string
  /** Distinct events; duplicates come on top. */
  events: number
  duplicateShare: number
  /** Event times lie in [nowUs - spreadUs, nowUs), in random order. */
  nowUs: number
  spreadUs: number
}>

const REGIONS = ['us-east', 'us-west', 'eu-central', 'ap-south']
const PRODUCTS = ['widget-a', 'widget-b', 'gadget', 'gizmo', 'sprocket']

/** Every event once, out of order in time, with `duplicateShare` of them repeated some way behind the first copy. */
export function* generateEvents(options: LoadOptions): Generator<LoadEvent> {
  const random = seededRandom(options.seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const again: LoadEvent[] = []
  for (let index = 0; index < options.events; index++) {
    const event: LoadEvent = {
      event_id: `${options.run}-${index.toString(36)}-${Math.floor(random() * 2 ** 40).toString(36)}`,
      event_time_us: options.nowUs - 1 - Math.floor(random() * options.spreadUs),
      region: pick(REGIONS),
      product: `${pick(PRODUCTS)}@${options.run}`,
      user_id: `user-${Math.floor(random() * 5_000)}`,
      latency_us: random() < 0.1 ? null : Math.floor(random() * 500_000),
      revenue: Math.floor(random() * 10_000),
      items: 1 + Math.floor(random() * 9),
    }
    yield event
    if (random() < options.duplicateShare) again.push(event)
    if (again.length > 500) yield again.splice(Math.floor(random() * again.length), 1)[0] as LoadEvent
  }
  yield* again
}

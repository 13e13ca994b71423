/** An event of the demo table, in the flat JSON form of HTTP. */
export type DemoEvent = Readonly<{
  event_id: string
  event_time_us: number
  region: string
  product: string
  user_id: string
  latency_us: number | null
  revenue: number
  items: number
}>

const REGIONS = ['us-east', 'us-west', 'eu-central', 'ap-south'] as const
const PRODUCTS = ['widget-a', 'widget-b', 'gadget', 'gizmo', 'sprocket'] as const
const USERS = 500
/** How far back an event may have happened: most are fresh, some are late, as in life. */
const LATE_US_MAX = 5_000_000
const MISSING_LATENCY = 0.1
const DUPLICATE = 0.05

/**
 * An endless stream of plausible events, the same for the same seed but for ids and times. Every twentieth comes twice, as from a
 * client that repeats after a lost answer, so that the demo shows duplicates being removed.
 */
export function createDemoEvents(seed: number): (count: number, nowUs: number) => DemoEvent[] {
  const random = createRandom(seed)
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
  let number = 0
  let last: DemoEvent | undefined
  const next = (nowUs: number): DemoEvent => {
    if (last !== undefined && random() < DUPLICATE) return last
    const lateUs = Math.floor(random() ** 4 * LATE_US_MAX)
    last = {
      event_id: `demo-${seed.toString(36)}-${(number++).toString(36)}`,
      event_time_us: nowUs - lateUs,
      region: pick(REGIONS),
      product: pick(PRODUCTS),
      user_id: `u${Math.floor(random() * USERS)}`,
      latency_us: random() < MISSING_LATENCY ? null : Math.floor(500 / (random() + 0.001)),
      revenue: Math.round(random() * 10_000) / 100,
      items: 1 + Math.floor(random() * 5),
    }
    return last
  }
  return (count, nowUs) => Array.from({ length: count }, () => next(nowUs))
}

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough for a demo, equal everywhere. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

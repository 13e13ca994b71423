import {
  cancelMove,
  commitMove,
  drainMove,
  dropReplica,
  finishMove,
  grantLeader,
  isOpen,
  type LeaderGrant,
  loseVolume,
  type MoveGuards,
  type MoveStep,
  NOBODY,
  type PlacedSlot,
  promoteReplica,
  proveMove,
  retireShard,
  type SlotMove,
  type SlotReport,
  startMove,
  whyNotEmpty,
  whyNotHeard,
  whyNotPlanned,
} from '../move-protocol.ts'

/*
 * The world around move-protocol.ts, as one immutable state and everything that may happen to it. The transitions of the
 * catalog are the product's own; modelled is what surrounds them:
 *
 *   two leaders, an old one and a new one, either of which may be stopped anywhere and wake later: whoever was granted an
 *       epoch once may have a command arrive at any time, any number of times, in any order, or never;
 *   shards that hear of the catalog late, fill a copy, are started again on an older snapshot, or lose their volume;
 *   reports that are lost, overtake each other, or arrive twice, also after what they say has ceased to be true;
 *   a control plane that may die before or after any write: its writes are single transactions, so that this is the same as
 *       a command that does not arrive, or whose answer does not.
 */
export type MoveScenario = Readonly<{
  name: string
  shards: number
  replicationFactor: number
  /**
   * Moves of the one slot, planned in this order, each at most once. The slot begins on shards 0 to replicationFactor - 1.
   * One from NOBODY raises the replication factor when it is done, one to NOBODY lowers it when it changes over.
   */
  moves: ReadonlyArray<readonly [from: number, to: number]>
  /** A cancelled move may be planned again: what must be made in the end. */
  again?: true
  /** One of the faults may be that this shard never comes back; the control plane may forget a shard. */
  lost?: number
  /** The pod and the volume of this shard are taken away as soon as that is allowed. */
  removed?: number
  /** Restarts and lost volumes, together. */
  faults: number
  /** Reports under way at once. */
  reports: number
  /** 1: nobody but the newest; 2: an old one beside it. */
  leaders: 1 | 2
}>

type Shard = Readonly<{
  /** 0: an empty volume that no catalog knows. */
  volume: number
  process: number
  view: number
  /** What it was last told of its own replica; absent: none. */
  assigned: 'none' | 'joining' | 'serving' | 'leaving'
  copy: 'none' | 'filling' | 'full'
  /** It was hurt, and the control plane had no way to know when it let it serve on. */
  excused: boolean
  /** It was hurt and the slot has not been whole since. */
  hurt: boolean
}>
type World = Readonly<{
  revision: number
  epochLast: number
  incarnationLast: number
  slot: PlacedSlot
  /** By the order of the scenario; absent: not planned yet. */
  moves: ReadonlyArray<SlotMove | null>
  leader: LeaderGrant | null
  /** By leader: the epoch that it was granted, 0 = none. */
  epochs: readonly number[]
  registered: ReadonlyArray<Readonly<{ incarnation: number; processId: string }>>
  shards: readonly Shard[]
  reports: readonly SlotReport[]
  faults: number
}>
type Next = Readonly<{ action: string; world: World; broken?: string | undefined }>

export type SearchResult = Readonly<{
  states: number
  steps: number
  /** How often moves ended, by how, over all states: a search that never gets there proves nothing. */
  ends: Readonly<Record<'Done' | 'Cancelled' | 'Failed', number>>
  /** States from which no path leads to rest: every move ended and the slot at full replication. */
  stuck: number
  /** The first thing found wrong, with the shortest way there. */
  violation: Readonly<{ what: string; path: readonly string[] }> | undefined
}>

const LEADERS = [1, 2]
/** The volume of a shard that will never be there again, and the incarnation of one that the control plane forgot. */
const GONE = -1
const FORGOTTEN = { incarnation: 0, processId: '' }

/** How many replicas there shall be: what has been added counts once it serves, what is taken away until it leaves. */
function wantedOf({ replicationFactor }: MoveScenario, { moves }: World): number {
  const added = moves.filter((move) => move?.from === NOBODY && move.phase === 'Done').length
  const taken = moves.filter((move) => move?.to === NOBODY && CHANGED_OVER.includes(move.phase)).length
  return replicationFactor + added - taken
}
const CHANGED_OVER: readonly string[] = ['Serving', 'Draining', 'Done']

/**
 * Visits every state that can be reached, breadth first, so that a violation comes with a shortest path.
 * Cost: O(states × steps a state) time, and the states themselves in memory. Errors: RangeError above `statesMax`.
 */
export function searchMoves(
  scenario: MoveScenario,
  guards: MoveGuards,
  statesMax = Number.POSITIVE_INFINITY,
): SearchResult {
  const first = firstWorld(scenario)
  const numbers = new Map<string, number>([[keyOf(first), 0]])
  const worlds: Array<World | undefined> = [first]
  const cameBy: Array<readonly [from: number, action: string]> = [[-1, 'begin']]
  const resting: boolean[] = [isResting(scenario, first)]
  const before: number[][] = [[]]
  const ends = { Done: 0, Cancelled: 0, Failed: 0 }
  let steps = 0
  const pathTo = (number: number): string[] => {
    const path: string[] = []
    for (let at = number; at > 0; at = cameBy[at]![0]) path.unshift(cameBy[at]![1])
    return path
  }
  for (let at = 0; at < worlds.length; at++) {
    const world = worlds[at]!
    worlds[at] = undefined // Only its key is needed from here on.
    for (const { action, world: reached, broken } of nextWorlds(scenario, guards, world)) {
      const next = healed(scenario, reached)
      steps += 1
      const what = broken ?? whatIsWrong(scenario, next) ?? whatWentWrong(world, next)
      if (what !== undefined)
        return {
          states: worlds.length,
          steps,
          ends,
          stuck: 0,
          violation: { what, path: [...pathTo(at), action] },
        }
      const key = keyOf(next)
      const known = numbers.get(key)
      if (known !== undefined) {
        before[known]!.push(at)
        continue
      }
      if (worlds.length >= statesMax)
        throw new RangeError(`${scenario.name} has more than ${statesMax} states`)
      numbers.set(key, worlds.length)
      worlds.push(next)
      cameBy.push([at, action])
      before.push([at])
      resting.push(isResting(scenario, next))
      for (const move of next.moves)
        if (move !== null && !isOpen(move)) ends[move.phase as keyof typeof ends] += 1
    }
  }
  return {
    states: worlds.length,
    steps,
    ends,
    stuck: worlds.length - reaching(resting, before),
    violation: undefined,
  }
}

/** How many states have a path to one that rests: found backwards from those. */
function reaching(resting: readonly boolean[], before: ReadonlyArray<readonly number[]>): number {
  const seen = [...resting]
  const open = resting.flatMap((rests, number) => (rests ? [number] : []))
  let count = open.length
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const from of before[at]!) {
      if (seen[from]) continue
      seen[from] = true
      count += 1
      open.push(from)
    }
  }
  return count
}

function firstWorld({ shards, replicationFactor, moves, faults }: MoveScenario): World {
  const ordinals = Array.from({ length: shards }, (_, shard) => shard)
  const holds = (shard: number) => shard < replicationFactor
  return {
    revision: 1,
    epochLast: 1,
    incarnationLast: shards,
    slot: {
      epoch: 1,
      replicas: ordinals.filter(holds).map((shard) => ({ shard, incarnation: shard + 1, state: 'serving' })),
    },
    moves: moves.map(() => null),
    leader: null,
    epochs: LEADERS.map(() => 0),
    registered: ordinals.map((shard) => ({ incarnation: shard + 1, processId: '0' })),
    shards: ordinals.map((shard) => ({
      volume: shard + 1,
      process: 0,
      view: 1,
      assigned: holds(shard) ? 'serving' : 'none',
      copy: holds(shard) ? 'full' : 'none',
      excused: false,
      hurt: false,
    })),
    reports: [],
    faults,
  }
}

function* nextWorlds(scenario: MoveScenario, guards: MoveGuards, world: World): Generator<Next> {
  for (const leader of LEADERS.slice(0, scenario.leaders)) {
    yield* askForEpoch(guards, world, leader)
    const epoch = world.epochs[leader - 1]!
    if (epoch === 0 || whyNotHeard(world.leader ?? undefined, epoch, guards) !== undefined) continue
    const newest = Math.max(...LEADERS.filter((one) => world.epochs[one - 1]! > 0))
    for (const { action, world: next, broken } of commands(scenario, guards, world)) {
      const old =
        leader < newest ? `leader ${leader} was heard after leader ${newest} had been granted` : undefined
      yield { action: `leader ${leader}: ${action}`, world: next, broken: broken ?? old }
    }
  }
  for (const shard of world.shards.keys()) yield* shardSteps(scenario, world, shard)
  for (const report of world.reports) yield* deliver(scenario, guards, world, report)
}

function* askForEpoch(guards: MoveGuards, world: World, leader: number): Generator<Next> {
  const asking = { createdAtUs: 1, transitions: leader, holder: `leader ${leader}` }
  const granted = grantLeader(world.leader ?? undefined, asking, guards)
  const action = `leader ${leader} asks for an epoch`
  if (typeof granted === 'string' || granted === world.leader) return
  const epochs = world.epochs.with(leader - 1, granted.epoch)
  const inverted = LEADERS.some(
    (other) => other > leader && epochs[other - 1]! > 0 && epochs[other - 1]! < granted.epoch,
  )
  yield {
    action,
    world: { ...world, leader: granted, epochs },
    broken: inverted ? `leader ${leader} was granted an epoch above that of a newer leader` : undefined,
  }
}

/** What a leader may command, each whenever it likes: the control plane alone decides whether it may be done. */
function* commands(scenario: MoveScenario, guards: MoveGuards, world: World): Generator<Next> {
  const planned = world.moves.flatMap((move) => (move === null ? [] : [move]))
  for (const [index, [from, to]] of scenario.moves.entries()) {
    const move = world.moves[index]!
    const name = `move ${index} (${from} → ${to})`
    if (move === null || (scenario.again === true && move.phase === 'Cancelled')) {
      if (whyNotPlanned(planned, guards) !== undefined) continue
      const fresh = {
        from,
        to,
        phase: 'Planned',
        sinceRevision: 0,
        fromIncarnation: 0,
        proof: undefined,
      } as const
      yield { action: `plan ${name}`, world: { ...world, moves: world.moves.with(index, fresh) } }
      continue
    }
    if (!isOpen(move)) continue
    yield* write(scenario, world, index, `cancel ${name}`, cancelMove(world.slot, move, guards))
    yield* advance(scenario, guards, world, index, move)
  }
  if (scenario.lost !== undefined) yield* forget(guards, world, scenario.lost)
}

function* advance(
  scenario: MoveScenario,
  guards: MoveGuards,
  world: World,
  index: number,
  move: SlotMove,
): Generator<Next> {
  const { slot, revision, registered, epochLast } = world
  const name = `move ${index} (${move.from} → ${move.to})`
  const nextEpoch = () => epochLast + 1
  const take = (action: string, step: MoveStep) => write(scenario, world, index, `${action} ${name}`, step)
  if (move.phase === 'Planned' && move.to === NOBODY) {
    const wanted = wantedOf(scenario, world) - 1
    yield* take('drop', dropReplica(slot, move, wanted, nextEpoch, guards))
  } else if (move.phase === 'Planned' && registered[move.to] !== FORGOTTEN) {
    const at = { toIncarnation: registered[move.to]!.incarnation, revision: revision + 1 }
    yield* take('start', startMove(slot, move, at, guards))
  }
  if (move.phase === 'CaughtUp')
    yield* take('commit', commitMove(slot, move, registered[move.to]!, nextEpoch, guards))
  if (move.phase === 'Serving') yield* take('drain', drainMove(slot, move, revision + 1))
  if (move.phase !== 'Draining') return
  // Its last report may be any that is under way.
  const said = [undefined, ...world.reports.filter(({ shard }) => shard === move.from)]
  for (const report of said) {
    const step = finishMove(slot, move, report, registered[move.from], guards)
    const { copy, volume } = world.shards[move.from]!
    const still = step.kind === 'stepped' && copy !== 'none' && volume === move.fromIncarnation
    const broken = still ? `${name} was called Done while shard ${move.from} still held its copy` : undefined
    for (const next of take('finish', step)) yield { ...next, broken }
  }
}

function* write(
  scenario: MoveScenario,
  world: World,
  index: number,
  action: string,
  step: MoveStep,
): Generator<Next> {
  if (step.kind === 'waits') return
  const { slot, move } = step
  const next = {
    ...world,
    slot,
    moves: world.moves.with(index, move),
    revision: world.revision + 1,
    epochLast: Math.max(world.epochLast, slot.epoch),
  }
  const enough = Math.min(servingOf(world.slot), wantedOf(scenario, next))
  const broken = servingOf(slot) < enough ? `${action} took a serving replica away` : undefined
  yield { action, world: next, broken }
}

/** The control plane forgets a shard whose pod it was told is lost. */
function* forget(guards: MoveGuards, world: World, ordinal: number): Generator<Next> {
  if (world.registered[ordinal] === FORGOTTEN) return
  const open = world.moves.findIndex((move) => move !== null && isOpen(move))
  const retired = retireShard(world.slot, world.moves[open] ?? undefined, ordinal, guards)
  if (retired.kind === 'waits') return
  yield {
    action: `shard ${ordinal} is forgotten`,
    world: {
      ...world,
      revision: world.revision + 1,
      moves: open < 0 ? world.moves : world.moves.with(open, retired.move ?? null),
      registered: world.registered.with(ordinal, FORGOTTEN),
    },
    broken: world.slot.replicas.some(({ shard }) => shard === ordinal)
      ? `shard ${ordinal} was forgotten while it held a replica`
      : undefined,
  }
}

/** Pod and volume of a shard are taken away; should it be wanted again, it begins empty. */
function* remove(guards: MoveGuards, world: World, ordinal: number, report: SlotReport): Generator<Next> {
  const at = { registered: world.registered[ordinal]!, revision: world.revision }
  const shard = world.shards[ordinal]!
  // Once: what comes back empty and goes again only counts its processes up.
  if (shard.process > 0 || whyNotEmpty([world.slot], ordinal, report, at, guards) !== undefined) return
  const emptied = { ...shard, volume: 0, process: shard.process + 1, view: 0, assigned: 'none', copy: 'none' } as const // biome-ignore format: one line
  yield {
    action: `shard ${ordinal} is removed with its volume`,
    world: { ...world, shards: world.shards.with(ordinal, emptied) },
    broken: shard.copy === 'none' ? undefined : `shard ${ordinal} was removed while it held a copy`,
  }
}

function* shardSteps(scenario: MoveScenario, world: World, ordinal: number): Generator<Next> {
  const shard = world.shards[ordinal]!
  if (shard.volume === GONE) return
  const put = (change: Partial<Shard>, more: Partial<World> = {}): World => ({
    ...world,
    ...more,
    shards: world.shards.with(ordinal, { ...shard, ...change }),
  })
  const known = world.registered[ordinal]!
  const isRegistered = shard.volume === known.incarnation && String(shard.process) === known.processId
  if (!isRegistered) yield register(world, ordinal)
  if (shard.volume !== 0 && shard.view < world.revision) {
    const mine = world.slot.replicas.find((one) => one.shard === ordinal && one.incarnation === shard.volume)
    const goesOn = mine === undefined || (shard.assigned !== 'none' && shard.copy !== 'none')
    const copy = goesOn ? shard.copy : 'filling'
    const excused = copy === 'filling' && shard.excused && (mine?.state !== 'joining' || !isRegistered)
    yield {
      action: `shard ${ordinal} hears of revision ${world.revision}`,
      world: put({ view: world.revision, assigned: mine?.state ?? 'none', copy, excused }),
    }
  }
  if (shard.assigned === 'none' && shard.copy !== 'none')
    yield { action: `shard ${ordinal} lets go of its copy`, world: put({ copy: 'none', excused: false }) }
  if (shard.copy === 'filling' && shard.assigned !== 'none')
    yield { action: `shard ${ordinal} catches up`, world: put({ copy: 'full', excused: false }) }
  const report: SlotReport = {
    shard: ordinal,
    incarnation: shard.volume,
    processId: String(shard.process),
    revision: shard.view,
    holds: shard.copy !== 'none',
    caughtUp: shard.copy === 'full',
  }
  yield* sendReport(scenario, world, report)
  if (world.faults === 0) return
  const hurt = { process: shard.process + 1, hurt: true, excused: true }
  const faults = world.faults - 1
  yield {
    action: `shard ${ordinal} is started again on an older snapshot`,
    world: put({ ...hurt, copy: shard.copy === 'none' ? 'none' : 'filling' }, { faults }),
  }
  yield {
    action: `shard ${ordinal} loses its volume`,
    world: put({ ...hurt, volume: 0, copy: 'none', assigned: 'none', view: 0 }, { faults }),
  }
  if (scenario.lost === ordinal)
    yield {
      action: `shard ${ordinal} is lost for good`,
      world: put({ ...hurt, volume: GONE, copy: 'none', assigned: 'none', view: 0 }, { faults }),
    }
}

/** A report sets out. Once too many are under way, one of them is lost. */
function* sendReport({ reports: max }: MoveScenario, world: World, report: SlotReport): Generator<Next> {
  const { reports } = world
  const name = nameOf(report)
  if (report.incarnation === 0 || reports.some((one) => nameOf(one) === name)) return
  const sorted = (under: readonly SlotReport[]) => under.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const action = `shard ${report.shard} reports`
  if (reports.length < max) yield { action, world: { ...world, reports: sorted([...reports, report]) } }
  else
    for (const lost of reports.keys())
      yield {
        action: `${action}, another is lost`,
        world: { ...world, reports: sorted(reports.with(lost, report)) },
      }
}

const nameOf = ({ shard, incarnation, processId, revision, holds, caughtUp }: SlotReport): string =>
  `${shard}/${incarnation}/${processId}/${revision}/${holds}/${caughtUp}`

/** The shard says hello: a volume that the catalog does not know, or has forgotten, gets a new incarnation. */
function register(world: World, ordinal: number): Next {
  const shard = world.shards[ordinal]!
  const processId = String(shard.process)
  const replica = world.slot.replicas.find((one) => one.shard === ordinal)
  const excused = shard.excused && (shard.assigned === 'serving' || replica?.state !== 'joining')
  if (shard.volume !== 0 && world.registered[ordinal] !== FORGOTTEN) {
    const registered = world.registered.with(ordinal, { incarnation: shard.volume, processId })
    const shards = world.shards.with(ordinal, { ...shard, excused })
    return { action: `shard ${ordinal} registers again`, world: { ...world, registered, shards } }
  }
  const incarnation = world.incarnationLast + 1
  const revision = world.revision + 1
  const open = world.moves.findIndex((move) => move !== null && isOpen(move) && move.phase !== 'Planned')
  const lost = { shard: ordinal, incarnation, revision }
  const after =
    replica === undefined
      ? { slot: world.slot, move: world.moves[open] }
      : loseVolume(world.slot, world.moves[open] ?? undefined, lost, () => world.epochLast + 1)
  return {
    action: `shard ${ordinal} registers with an empty volume`,
    world: {
      ...world,
      revision,
      incarnationLast: incarnation,
      epochLast: Math.max(world.epochLast, after.slot.epoch),
      slot: after.slot,
      moves: open < 0 ? world.moves : world.moves.with(open, after.move ?? null),
      registered: world.registered.with(ordinal, { incarnation, processId }),
      shards: world.shards.with(ordinal, { ...shard, ...EMPTY, volume: incarnation, excused: false }),
    },
  }
}

const EMPTY = { copy: 'none', assigned: 'none', view: 0 } as const

/** A report arrives; it stays under way, since it may arrive again. */
function* deliver(
  scenario: MoveScenario,
  guards: MoveGuards,
  world: World,
  report: SlotReport,
): Generator<Next> {
  if (scenario.removed === report.shard) yield* remove(guards, world, report.shard, report)
  const action = `a report of shard ${report.shard} (revision ${report.revision}) arrives`
  const registered = world.registered[report.shard]!
  for (const [index, move] of world.moves.entries())
    if (move?.phase === 'Bootstrapping' && move.to === report.shard)
      yield* write(scenario, world, index, action, proveMove(world.slot, move, report, registered, guards))
  const open = world.moves.find((move) => move !== null && isOpen(move)) ?? undefined
  const promoted = promoteReplica(world.slot, open, report, registered, () => world.epochLast + 1, guards)
  if (promoted === undefined) return
  const { revision } = world
  yield { action, world: { ...world, slot: promoted, revision: revision + 1, epochLast: promoted.epoch } }
}

/** Once the slot is whole, and the control plane has heard what happened to a shard, that is no excuse any more. */
function healed(scenario: MoveScenario, world: World): World {
  if (!world.shards.some(({ hurt }) => hurt) || goodOf(world) < wantedOf(scenario, world)) return world
  const shards = world.shards.map((shard, ordinal) => {
    const { incarnation, processId } = world.registered[ordinal]!
    const isKnown = shard.volume === incarnation && String(shard.process) === processId
    const isMissed = world.slot.replicas.some((one) => one.shard === ordinal)
    return isKnown || (shard.volume === GONE && !isMissed) ? { ...shard, hurt: false } : shard
  })
  return { ...world, shards }
}

/** What must never be, in any state. */
function whatIsWrong(scenario: MoveScenario, world: World): string | undefined {
  const { slot, shards, moves } = world
  const wanted = wantedOf(scenario, world)
  for (const { shard, incarnation, state } of slot.replicas) {
    const { volume, copy, excused } = shards[shard]!
    if (state === 'serving' && volume === incarnation && copy !== 'full' && !excused)
      return `shard ${shard} serves by the catalog and has never had the rows`
    const brings = moves.some(
      (move) =>
        move?.phase === 'Serving' && move.from === shard && (move.to === NOBODY || serves(slot, move.to)),
    )
    if (state === 'leaving' && !brings) return `shard ${shard} leaves and nobody serves in its place`
  }
  for (const [ordinal, { assigned, copy, excused }] of shards.entries())
    if (assigned === 'serving' && copy === 'filling' && !excused)
      return `shard ${ordinal} believes that it serves and has never had the rows`
  if (servingOf(slot) > wanted) return `${servingOf(slot)} replicas serve instead of ${wanted}`
  const good = goodOf(world)
  const hurt = shards.filter((shard) => shard.hurt).length
  if (good < wanted - hurt)
    return `${good} replicas can answer, with ${hurt} shards hurt and a replication factor of ${wanted}`
  const joining = slot.replicas.some(({ state }) => state === 'joining')
  const moving = moves.some((move) => move !== null && isOpen(move))
  if (!joining && !moving && slot.replicas.length !== wanted)
    return `${slot.replicas.length} replicas are left when all has ended, instead of ${wanted}`
  return undefined
}

/** What must never happen, from one state to the next. */
function whatWentWrong(before: World, after: World): string | undefined {
  if (after.slot.epoch < before.slot.epoch) return 'an epoch went back'
  const sets = [before, after].map(({ slot }) =>
    slot.replicas.flatMap(({ shard, incarnation, state }) =>
      state === 'serving' ? [`${shard}/${incarnation}`] : [],
    ),
  )
  const changed = sets[0]!.toSorted().join() !== sets[1]!.toSorted().join()
  if (changed && after.slot.epoch <= before.slot.epoch) return 'one epoch had two sets of serving replicas'
  return undefined
}

const serves = ({ replicas }: PlacedSlot, shard: number): boolean =>
  replicas.some((one) => one.shard === shard && one.state === 'serving')

const servingOf = ({ replicas }: PlacedSlot): number =>
  replicas.filter(({ state }) => state === 'serving').length

/** Serving replicas that have every row right now. */
const goodOf = ({ slot, shards }: World): number =>
  slot.replicas.filter(({ shard, incarnation, state }) => {
    const { volume, copy } = shards[shard]!
    return state === 'serving' && volume === incarnation && copy === 'full'
  }).length

const isResting = (scenario: MoveScenario, world: World): boolean =>
  world.moves.every((move) => move === null || !isOpen(move)) && goodOf(world) === wantedOf(scenario, world)

/**
 * Equal for worlds from which the same can happen, and only for those. Revisions, incarnations and processes are only ever
 * compared, so their ranks stand for them; of a move only what its phase looks at counts; epochs decide nothing.
 */
function keyOf({
  revision,
  slot,
  moves,
  leader,
  epochs,
  registered,
  shards,
  reports,
  faults,
}: World): string {
  const open = moves.map((move) => (move !== null && isOpen(move) ? move : undefined))
  const since = open.map((move) =>
    move !== undefined && LOOKS_BACK.includes(move.phase) ? move.sinceRevision : -1,
  )
  const revisions = ranks([
    revision,
    ...since,
    ...shards.map(({ view }) => view),
    ...reports.map((one) => one.revision),
  ])
  const incarnations = ranks([
    0,
    ...slot.replicas.map(({ incarnation }) => incarnation),
    ...open.flatMap((move) => [move?.fromIncarnation ?? 0, move?.proof?.incarnation ?? 0]),
    ...registered.map(({ incarnation }) => incarnation),
    ...shards.map(({ volume }) => volume),
    ...reports.map(({ incarnation }) => incarnation),
  ])
  const rank = (of: ReadonlyMap<number, number>, value: number) => of.get(value)
  const parts: unknown[] = [faults, leader?.epoch ?? 0, ...epochs]
  for (const { shard, incarnation, state } of slot.replicas)
    parts.push(shard, rank(incarnations, incarnation), state)
  for (const [index, move] of moves.entries()) {
    parts.push(';', move?.phase)
    const at = open[index]
    if (at === undefined) continue
    parts.push(rank(revisions, since[index]!))
    if (at.phase === 'Serving' || at.phase === 'Draining') parts.push(rank(incarnations, at.fromIncarnation))
    if (at.phase === 'CaughtUp')
      parts.push(rank(incarnations, at.proof?.incarnation ?? 0), at.proof?.processId)
  }
  for (const [ordinal, { volume, process, view, assigned, copy, excused, hurt }] of shards.entries()) {
    const { incarnation, processId } = registered[ordinal]!
    parts.push(';', rank(incarnations, volume), process, rank(revisions, view), assigned, copy, excused, hurt)
    parts.push(rank(incarnations, incarnation), processId)
  }
  for (const { shard, incarnation, processId, revision: of, holds, caughtUp } of reports)
    parts.push(';', shard, rank(incarnations, incarnation), processId, rank(revisions, of), holds, caughtUp)
  return parts.join()
}

/** Phases that judge reports by the revision since which they count. */
const LOOKS_BACK: readonly string[] = ['Bootstrapping', 'Draining']

const ranks = (values: readonly number[]): ReadonlyMap<number, number> =>
  new Map([...new Set(values)].sort((a, b) => a - b).map((value, rank) => [value, rank]))

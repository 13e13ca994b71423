/*
 * How a slot's replica changes its shard while the slot goes on answering, as pure transitions. The control plane writes
 * what they answer in one transaction each; move-model.test.ts searches every order in which they can happen.
 *
 *   Planned ─start→ Bootstrapping ─prove→ CaughtUp ─commit→ Serving ─drain→ Draining ─finish→ Done
 *      │                 │  ▲                │ │                │
 *      │                 │  └─ proof lapsed ─┘ │                └─ volume of `to` lost: `from` serves again → Bootstrapping
 *      └──────cancel─────┴────────cancel───────┘→ Cancelled        start without `from`, or onto a holder → Failed
 *
 * A move from NOBODY adds a replica: it is Done when it serves. A move to NOBODY takes one away: Planned ─drop→ Serving, and
 * it is Planned again when one of the others loses its volume before `from` was told to let go.
 *
 * `commit` alone changes who answers. A copy that merely follows the log is harmless, so everything before it can be
 * undone, and nothing after it needs to be. Unknown is never done: each step waits for a positive statement of the party
 * concerned, made under a catalog at least as new as the step before.
 */

export type ReplicaStateName = 'joining' | 'serving' | 'leaving'
export type PlacedReplica = Readonly<{ shard: number; incarnation: number; state: ReplicaStateName }>
/** One slot as the catalog has it. `epoch` numbers the sets of serving replicas and only grows. */
export type PlacedSlot = Readonly<{ epoch: number; replicas: readonly PlacedReplica[] }>

export const OPEN_PHASES = ['Planned', 'Bootstrapping', 'CaughtUp', 'Serving', 'Draining'] as const
export type MovePhase = (typeof OPEN_PHASES)[number] | 'Done' | 'Cancelled' | 'Failed'
/** In place of a shard: nobody gives, or nobody takes. */
export const NOBODY = -1
export type SlotMove = Readonly<{
  /** NOBODY: one replica more. */
  from: number
  /** NOBODY: one replica fewer. */
  to: number
  phase: MovePhase
  /** Reports made under an older revision of the catalog say nothing about this move's present step. */
  sinceRevision: number
  /**
   * The volume on which `from` served until the commit, 0 when it did not serve then. From the drain on the one that it
   * leaves: another one by now means that this copy is gone.
   */
  fromIncarnation: number
  /** Who proved that `to` has caught up. */
  proof: Registered | undefined
}>
/** A shard as it registered last: which volume it runs on, and which start of its process. */
export type Registered = Readonly<{ incarnation: number; processId: string }>
/** What a shard said of its copy of the slot, in one report. */
export type SlotReport = Registered &
  Readonly<{
    shard: number
    /** Revision of the catalog that the shard had taken over when it said so. */
    revision: number
    holds: boolean
    caughtUp: boolean
  }>
/** A term of the operator's Lease. Of two terms the one with the later creation, then with more transitions, is newer. */
export type LeaderTerm = Readonly<{ createdAtUs: number; transitions: number; holder: string }>
export type LeaderGrant = LeaderTerm & Readonly<{ epoch: number }>

type Guard<Arguments extends readonly unknown[]> = (...given: Arguments) => string | undefined

/**
 * Every condition on which safety rests, by name: undefined when it holds, else why not. They are data so that the model
 * can be run with each one left out, and must then find what goes wrong.
 */
export const MOVE_GUARDS = {
  /** A leader that was paused may wake and go on sending. */
  leaderIsNewest: (known: LeaderGrant | undefined, epoch: number) =>
    known !== undefined && epoch === known.epoch
      ? undefined
      : `leader epoch ${epoch} is not ${known?.epoch ?? 'granted yet'}, the newest`,
  /** Else one that won the Lease first and asks last would get the greater epoch. */
  termIsGreater: (known: LeaderGrant, asking: LeaderTerm) =>
    asking.createdAtUs > known.createdAtUs ||
    (asking.createdAtUs === known.createdAtUs && asking.transitions > known.transitions)
      ? undefined
      : `term ${asking.transitions} of ${asking.holder} is not newer than term ${known.transitions} of ${known.holder}`,
  /** Two moves of one slot would each count on the replicas that the other takes away. */
  slotHasNoOpenMove: (moves: readonly SlotMove[]) =>
    moves.some(isOpen) ? 'the slot has an open move already' : undefined,
  fromHolds: ({ replicas }: PlacedSlot, { from }: SlotMove) =>
    from === NOBODY || replicas.some(({ shard }) => shard === from)
      ? undefined
      : `shard ${from} holds no replica of it`,
  toHoldsNone: ({ replicas }: PlacedSlot, { to }: SlotMove) =>
    replicas.some(({ shard }) => shard === to) ? `shard ${to} holds a replica of it already` : undefined,
  /** A zombie, or a process whose successor restored an older state, speaks of a copy that is not there. */
  reporterIsNewest: (report: SlotReport, registered: Registered) =>
    sameProcess(report, registered) ? undefined : `shard ${report.shard} has another process or volume since`,
  saysCaughtUp: ({ shard, caughtUp }: SlotReport) =>
    caughtUp ? undefined : `shard ${shard} has not caught up with the log yet`,
  /** The copy of an earlier, cancelled move to the same shard may have caught up; this one is new. */
  reportIsSinceStart: ({ shard, revision }: SlotReport, { sinceRevision }: SlotMove) =>
    revision >= sinceRevision ? undefined : `shard ${shard} has not heard of the move yet`,
  /** Whoever caught up must still be there: a process started since holds what its last snapshot held. */
  proofStands: ({ proof }: SlotMove, registered: Registered) =>
    proof !== undefined && sameProcess(proof, registered)
      ? undefined
      : 'it was started again since it caught up',
  isBeforeServing: ({ phase }: SlotMove) =>
    phase === 'Planned' || phase === 'Bootstrapping' || phase === 'CaughtUp'
      ? undefined
      : `it is ${phase}: too late to cancel, it finishes; plan a move back`,
  /** Before `from` held the slot at all it said truly that it does not. */
  reportIsSinceDrain: ({ shard, revision }: SlotReport, { sinceRevision }: SlotMove) =>
    revision >= sinceRevision ? undefined : `shard ${shard} has not heard that it shall let go`,
  saysGone: ({ shard, holds }: SlotReport) =>
    holds ? `shard ${shard} has not let go of its copy yet` : undefined,
  /** A copy that is moved here begins to serve by `commitMove`, together with the other's leaving. */
  isNotMoved: (move: SlotMove | undefined, { shard }: SlotReport) =>
    move !== undefined && isOpen(move) && move.to === shard ? 'a move decides when it serves' : undefined,
  /** A replica goes only while as many others serve as there shall be. */
  othersServe: ({ replicas }: PlacedSlot, { from }: SlotMove, wanted: number) => {
    const others = replicas.filter(({ shard, state }) => shard !== from && state === 'serving').length
    return others >= wanted ? undefined : `${others} other replicas serve, and ${wanted} shall`
  },
  /** Whoever is forgotten, or loses its volume on purpose, must be needed by nobody. */
  catalogHoldsNone: ({ replicas }: PlacedSlot, gone: number) =>
    replicas.some(({ shard }) => shard === gone) ? `shard ${gone} holds a replica by the catalog` : undefined,
  saysEmpty: ({ shard, holds }: SlotReport) => (holds ? `shard ${shard} still holds a copy` : undefined),
  /** What was said under an older map may be of before a copy came. */
  reportIsOfThisMap: ({ shard, revision }: SlotReport, now: number) =>
    revision === now ? undefined : `shard ${shard} speaks of revision ${revision}, and the map is at ${now}`,
} as const satisfies Readonly<Record<string, Guard<never[]>>>
export type MoveGuards = { readonly [Name in keyof typeof MOVE_GUARDS]: (typeof MOVE_GUARDS)[Name] }

/** What a step came to: written together, or nothing at all and why. */
export type MoveStep =
  | Readonly<{ kind: 'stepped'; slot: PlacedSlot; move: SlotMove; message: string }>
  | Readonly<{ kind: 'waits'; reason: string }>

export const isOpen = ({ phase }: Pick<SlotMove, 'phase'>): boolean =>
  (OPEN_PHASES as readonly MovePhase[]).includes(phase)

/** Whether a slot may get one more move, given all it has had. Undefined: it may. */
export function whyNotPlanned(
  moves: readonly SlotMove[],
  guards: MoveGuards = MOVE_GUARDS,
): string | undefined {
  return guards.slotHasNoOpenMove(moves)
}

/** Planned → Bootstrapping: an extra copy on `to` that answers nobody. `revision` is the one that this step makes. */
export function startMove(
  slot: PlacedSlot,
  move: SlotMove,
  at: Readonly<{ toIncarnation: number; revision: number }>,
  guards: MoveGuards = MOVE_GUARDS,
): MoveStep {
  const impossible = guards.fromHolds(slot, move) ?? guards.toHoldsNone(slot, move)
  if (impossible !== undefined) return stepped(slot, { ...move, phase: 'Failed' }, impossible)
  const joining = { shard: move.to, incarnation: at.toIncarnation, state: 'joining' } as const
  const replicas = [...without(slot.replicas, move.to), joining]
  return stepped(
    { ...slot, replicas },
    { ...move, phase: 'Bootstrapping', sinceRevision: at.revision, proof: undefined },
    `shard ${move.to} copies the slot`,
  )
}

/** Bootstrapping → CaughtUp, by a report of `to` whose cursor the caller has compared with the log's end. */
export function proveMove(
  slot: PlacedSlot,
  move: SlotMove,
  report: SlotReport,
  registered: Registered,
  guards: MoveGuards = MOVE_GUARDS,
): MoveStep {
  const missing =
    guards.reporterIsNewest(report, registered) ??
    guards.reportIsSinceStart(report, move) ??
    guards.saysCaughtUp(report)
  if (missing !== undefined) return { kind: 'waits', reason: missing }
  const { incarnation, processId } = report
  const message = `shard ${move.to} has caught up`
  return stepped(slot, { ...move, phase: 'CaughtUp', proof: { incarnation, processId } }, message)
}

/**
 * CaughtUp → Serving, the commit point: `to` serves and `from` leaves, in one new epoch; Done at once where nobody leaves. A
 * lapsed proof is asked anew.
 */
export function commitMove(
  slot: PlacedSlot,
  move: SlotMove,
  registered: Registered,
  nextEpoch: () => number,
  guards: MoveGuards = MOVE_GUARDS,
): MoveStep {
  const lapsed = guards.proofStands(move, registered)
  if (lapsed !== undefined)
    return stepped(slot, { ...move, phase: 'Bootstrapping', proof: undefined }, `shard ${move.to}: ${lapsed}`)
  const replicas = slot.replicas.map((replica) => {
    if (replica.shard === move.to) return { ...replica, state: 'serving' as const }
    return replica.shard === move.from ? { ...replica, state: 'leaving' as const } : replica
  })
  if (move.from === NOBODY)
    return stepped(
      { epoch: nextEpoch(), replicas },
      { ...move, phase: 'Done' },
      `shard ${move.to} serves too`,
    )
  const message = `shard ${move.to} serves instead of shard ${move.from}`
  return stepped({ epoch: nextEpoch(), replicas }, changedOver(slot, move), message)
}

/** Planned → Serving of a move to NOBODY: `from` leaves in one new epoch, while `wanted` others serve. */
export function dropReplica(
  slot: PlacedSlot,
  move: SlotMove,
  wanted: number,
  nextEpoch: () => number,
  guards: MoveGuards = MOVE_GUARDS,
): MoveStep {
  const impossible = guards.fromHolds(slot, move)
  if (impossible !== undefined) return stepped(slot, { ...move, phase: 'Failed' }, impossible)
  const thin = guards.othersServe(slot, move, wanted)
  if (thin !== undefined) return { kind: 'waits', reason: thin }
  const replicas = slot.replicas.map((replica) =>
    replica.shard === move.from ? { ...replica, state: 'leaving' as const } : replica,
  )
  const message = `shard ${move.from} serves no more`
  return stepped({ epoch: nextEpoch(), replicas }, changedOver(slot, move), message)
}

/** Serving → Draining: `from` is told to let go. The caller has given those who ask by an old map their grace. */
export function drainMove(slot: PlacedSlot, move: SlotMove, revision: number): MoveStep {
  const left = slot.replicas.find(({ shard }) => shard === move.from)
  const replicas = without(slot.replicas, move.from)
  const draining = {
    phase: 'Draining',
    sinceRevision: revision,
    fromIncarnation: left?.incarnation ?? 0,
  } as const
  return stepped({ ...slot, replicas }, { ...move, ...draining }, `shard ${move.from} lets go of its copy`)
}

/** Draining → Done, when `from` itself says that it holds the slot no more, or its volume is another by now. */
export function finishMove(
  slot: PlacedSlot,
  move: SlotMove,
  report: SlotReport | undefined,
  registered: Registered | undefined,
  guards: MoveGuards = MOVE_GUARDS,
): MoveStep {
  if (registered === undefined) return { kind: 'waits', reason: `shard ${move.from} is not known` }
  const replaced = registered.incarnation !== move.fromIncarnation
  if (!replaced) {
    if (report === undefined) return { kind: 'waits', reason: `shard ${move.from} has not reported` }
    const missing =
      guards.reporterIsNewest(report, registered) ??
      guards.reportIsSinceDrain(report, move) ??
      guards.saysGone(report)
    if (missing !== undefined) return { kind: 'waits', reason: missing }
  }
  return stepped(slot, { ...move, phase: 'Done' }, `shard ${move.from} holds the slot no more`)
}

/** Undoes a move that has changed nothing for those who ask. */
export function cancelMove(slot: PlacedSlot, move: SlotMove, guards: MoveGuards = MOVE_GUARDS): MoveStep {
  const tooLate = guards.isBeforeServing(move)
  if (tooLate !== undefined) return { kind: 'waits', reason: tooLate }
  const replicas = move.phase === 'Planned' ? slot.replicas : without(slot.replicas, move.to)
  return stepped({ ...slot, replicas }, { ...move, phase: 'Cancelled' }, 'cancelled before it served')
}

/**
 * A shard came back with another volume: its replica begins anew under a new epoch. Where that was the new holder of a move
 * whose old one still has everything, or one that should have been enough without it, the old one serves again; an old one
 * that lost everything has left.
 */
export function loseVolume(
  slot: PlacedSlot,
  move: SlotMove | undefined,
  lost: Readonly<{ shard: number; incarnation: number; revision: number }>,
  nextEpoch: () => number,
): Readonly<{ slot: PlacedSlot; move: SlotMove | undefined }> {
  const { shard, incarnation, revision } = lost
  const epoch = nextEpoch()
  const anew = { shard, incarnation, state: 'joining' } as const
  if (move?.phase === 'Serving' && shard === move.from)
    return { slot: { epoch, replicas: without(slot.replicas, shard) }, move: { ...move, phase: 'Done' } }
  const replicas = slot.replicas.map((replica) => (replica.shard === shard ? anew : replica))
  const counted = move?.to === NOBODY || move?.to === shard
  if (move?.phase !== 'Serving' || !counted) return { slot: { epoch, replicas }, move }
  const fromHasAll = replicas.some(
    (replica) => replica.shard === move.from && replica.incarnation === move.fromIncarnation,
  )
  return {
    slot: {
      epoch,
      replicas: replicas.map((replica) =>
        replica.shard === move.from ? { ...replica, state: fromHasAll ? 'serving' : 'joining' } : replica,
      ),
    },
    move: {
      ...move,
      phase: move.to === NOBODY ? 'Planned' : 'Bootstrapping',
      sinceRevision: revision,
      proof: undefined,
    },
  }
}

/**
 * The catalog forgets a shard: whatever volume comes back under its ordinal is a new one and starts empty, so a copy that
 * was leaving is as good as gone, and a copy that was to come has nobody to come to. For a shard that is lost for good, and
 * for one whose volume was deleted.
 */
export function retireShard(
  slot: PlacedSlot,
  move: SlotMove | undefined,
  shard: number,
  guards: MoveGuards = MOVE_GUARDS,
): Readonly<{ kind: 'retired'; move: SlotMove | undefined }> | Readonly<{ kind: 'waits'; reason: string }> {
  const held = guards.catalogHoldsNone(slot, shard)
  if (held !== undefined) return { kind: 'waits', reason: held }
  if (move?.phase === 'Draining' && move.from === shard)
    return { kind: 'retired', move: { ...move, phase: 'Done' } }
  if (move?.phase === 'Planned' && move.to === shard)
    return { kind: 'retired', move: { ...move, phase: 'Cancelled' } }
  return { kind: 'retired', move }
}

/**
 * Whether pod and volume of a shard may be taken away: the catalog places nothing on it and it says itself, under the very
 * same map, that it holds nothing. Undefined: they may. `report` is its last, undefined when it has none.
 */
export function whyNotEmpty(
  slots: Iterable<PlacedSlot>,
  shard: number,
  report: SlotReport | undefined,
  at: Readonly<{ registered: Registered; revision: number }>,
  guards: MoveGuards = MOVE_GUARDS,
): string | undefined {
  for (const slot of slots) {
    const held = guards.catalogHoldsNone(slot, shard)
    if (held !== undefined) return held
  }
  if (report === undefined) return `shard ${shard} has not said what it holds`
  return (
    guards.reporterIsNewest(report, at.registered) ??
    guards.saysEmpty(report) ??
    guards.reportIsOfThisMap(report, at.revision)
  )
}

/** joining → serving under a new epoch, for a replica that no move brings. Undefined: not now. */
export function promoteReplica(
  slot: PlacedSlot,
  move: SlotMove | undefined,
  report: SlotReport,
  registered: Registered,
  nextEpoch: () => number,
  guards: MoveGuards = MOVE_GUARDS,
): PlacedSlot | undefined {
  const joins = slot.replicas.some(({ shard, state }) => shard === report.shard && state === 'joining')
  const missing =
    guards.isNotMoved(move, report) ??
    guards.reporterIsNewest(report, registered) ??
    guards.saysCaughtUp(report)
  if (!joins || missing !== undefined) return undefined
  const replicas = slot.replicas.map((replica) =>
    replica.shard === report.shard ? { ...replica, state: 'serving' as const } : replica,
  )
  return { epoch: nextEpoch(), replicas }
}

/** Grants an epoch to a term of the Lease; the same term of the same holder gets the same again. A text: why not. */
export function grantLeader(
  known: LeaderGrant | undefined,
  asking: LeaderTerm,
  guards: MoveGuards = MOVE_GUARDS,
): LeaderGrant | string {
  if (known === undefined) return { ...asking, epoch: 1 }
  const { createdAtUs, transitions, holder } = asking
  const same = createdAtUs === known.createdAtUs && transitions === known.transitions
  if (same && holder === known.holder) return known
  return guards.termIsGreater(known, asking) ?? { ...asking, epoch: known.epoch + 1 }
}

/** Whether a command under this epoch is heard. Undefined: it is. */
export function whyNotHeard(
  known: LeaderGrant | undefined,
  epoch: number,
  guards: MoveGuards = MOVE_GUARDS,
): string | undefined {
  return guards.leaderIsNewest(known, epoch)
}

/** The moment after which nothing can be undone; `fromIncarnation` says which volume served until then. */
function changedOver({ replicas }: PlacedSlot, move: SlotMove): SlotMove {
  const left = replicas.find(({ shard, state }) => shard === move.from && state === 'serving')
  return { ...move, phase: 'Serving', fromIncarnation: left?.incarnation ?? 0 }
}

const sameProcess = (left: Registered, right: Registered): boolean =>
  left.incarnation === right.incarnation && left.processId === right.processId

const without = (replicas: readonly PlacedReplica[], gone: number): readonly PlacedReplica[] =>
  replicas.filter(({ shard }) => shard !== gone)

const stepped = (slot: PlacedSlot, move: SlotMove, message: string): MoveStep => ({
  kind: 'stepped',
  slot,
  move,
  message,
})

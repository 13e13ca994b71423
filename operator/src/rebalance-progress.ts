import { type Move, MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type RebalanceStatus, SHOWN_MOVES_MAX } from './api/v1alpha1/rebalance.ts'
import { shownMove } from './propose-rebalance.ts'

const PHASES: Readonly<Record<MovePhase, string>> = {
  [MovePhase.UNSPECIFIED]: 'Unknown',
  [MovePhase.PLANNED]: 'Planned',
  [MovePhase.BOOTSTRAPPING]: 'Bootstrapping',
  [MovePhase.CAUGHT_UP]: 'CaughtUp',
  [MovePhase.SERVING]: 'Serving',
  [MovePhase.DRAINING]: 'Draining',
  [MovePhase.DONE]: 'Done',
  [MovePhase.CANCELLED]: 'Cancelled',
  [MovePhase.FAILED]: 'Failed',
}
const ENDED: readonly MovePhase[] = [MovePhase.DONE, MovePhase.CANCELLED, MovePhase.FAILED]
/** Figures in status are rounded, so that it is written when something happens and not every second. */
const ETA_STEP_SECONDS = 10

export const isEnded = ({ phase }: Move): boolean => ENDED.includes(phase)

/** The moves of a plan as status mirrors them: state, progress and the moves that people look for first. Pure. */
export function rebalanceProgress(
  moves: readonly Move[],
  nowUs: number,
): Required<Pick<RebalanceStatus, 'state' | 'message' | 'progress' | 'moves' | 'moveCount' | 'bytesToMove'>> {
  const ended = moves.filter(isEnded)
  const bytesToMove = sum(moves, ({ bytes }) => bytes)
  const bytesMoved = sum(moves, ({ bytesCopied }) => bytesCopied)
  const startedUs = moves.flatMap(({ startedAtUs }) => (startedAtUs > 0n ? [Number(startedAtUs)] : []))
  const seconds = startedUs.length === 0 ? 0 : (nowUs - Math.min(...startedUs)) / 1_000_000
  const rate = seconds < 1 ? 0 : bytesMoved / seconds
  const over = ended.length === moves.length
  const eta = rate > 0 && !over ? { etaSeconds: stepUp((bytesToMove - bytesMoved) / rate) } : {}
  return {
    ...stateOf(moves, ended),
    moveCount: moves.length,
    bytesToMove,
    progress: { movesEnded: ended.length, bytesMoved, bytesPerSecond: twoDigits(rate), ...eta },
    moves: [...moves.filter((move) => !isEnded(move)), ...ended]
      .slice(0, SHOWN_MOVES_MAX)
      .map(({ table, slot, from, to, bytes, bytesCopied, phase, message }) => ({
        table: `${table?.namespace}.${table?.name}`,
        slot,
        ...shownMove({ from, to }),
        bytes: Number(bytes),
        phase: PHASES[phase] ?? 'Unknown',
        bytesCopied: Number(bytesCopied),
        message,
      })),
  }
}

function stateOf(
  moves: readonly Move[],
  ended: readonly Move[],
): Required<Pick<RebalanceStatus, 'state' | 'message'>> {
  const count = (phase: MovePhase) => moves.filter((move) => move.phase === phase).length
  const done = count(MovePhase.DONE)
  if (ended.length < moves.length) {
    const message = `${ended.length} of ${moves.length} moves are over; annotate with truenow.io/stop=true to undo what does not serve yet.`
    return { state: 'Rebalancing', message }
  }
  const failed = moves.find(({ phase }) => phase === MovePhase.FAILED)
  if (failed !== undefined) {
    const message = `${count(MovePhase.FAILED)} of ${moves.length} moves failed, the first: ${failed.message}; annotate with truenow.io/refresh=true for a new proposal.`
    return { state: 'NotReady', message }
  }
  const cancelled = count(MovePhase.CANCELLED)
  if (cancelled > 0) {
    const message = `Stopped: ${done} moves were made and ${cancelled} undone; annotate with truenow.io/refresh=true for a new proposal.`
    return { state: 'Stopped', message }
  }
  return { state: 'Ready', message: `All ${done} moves were made.` }
}

const sum = (moves: readonly Move[], of: (move: Move) => bigint): number =>
  moves.reduce((total, move) => total + Number(of(move)), 0)

const stepUp = (seconds: number): number => Math.ceil(seconds / ETA_STEP_SECONDS) * ETA_STEP_SECONDS

function twoDigits(rate: number): number {
  return rate < 1 ? 0 : Math.round(Number(rate.toPrecision(2)))
}

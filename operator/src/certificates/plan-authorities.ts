import { TLS_PHASES, type TlsPhase } from '@truenow/chassis/tls-credentials.ts'
import { type Asked, type Authorities, lifeOf, makeAuthority } from './authorities.ts'

/** What may be wanted at once; only one change is made at a time, each when all pods have taken over the one before. */
export type Wanted = Readonly<{
  /** Where the phases lead: `accept` for a cluster that shall go without certificates. */
  target: TlsPhase
  /** What the annotations ask for now. */
  asked: Asked
  /** No step towards `target` is taken. */
  paused: boolean
}>
export type AuthorityStep = Readonly<{
  authorities: Authorities
  /** Reason of the Event, and its note. */
  reason: 'AuthorityMade' | 'AuthorityUsed' | 'AuthorityDropped' | 'TlsPhaseChanged'
  note: string
}>

/** How long all must have held a state before the next is written, in seconds. */
export function settleSeconds(from: TlsPhase, to: TlsPhase): number {
  // Calls over plain text end within 60 s, streams within 30 s; afterwards whoever is cut had no business there.
  return from === 'use' && to === 'require' ? CALLS_END_SECONDS : THREADS_LOOK_SECONDS
}

const CALLS_END_SECONDS = 75
/** A process answers for its main thread; worker threads look at the same files, each second. */
const THREADS_LOOK_SECONDS = 5

/**
 * The next state, from what stands: undefined when there is nothing to do. Whoever calls this has seen that every pod holds the
 * present state; then each step is safe whatever had happened before it. The order is the policy: a change of the authority that
 * began is finished first (trusted by all, then issuing, then the old one dropped), then phases, then a new authority.
 */
export function nextStep(now: Authorities, wanted: Wanted, nowUs: number): AuthorityStep | undefined {
  const { next, previous, ...rest } = now
  // Without the key of the present one, leaves of those before cannot be exchanged yet.
  if (previous !== undefined && now.current.keyPem !== '')
    return {
      authorities: { ...rest, ...(next === undefined ? {} : { next }) },
      reason: 'AuthorityDropped',
      note: 'Every pod shows a certificate of the new authority; the old one is trusted no more.',
    }
  if (next !== undefined)
    return {
      authorities: { ...rest, current: next, previous: now.current.certificatePem + (previous ?? '') },
      reason: 'AuthorityUsed',
      note: 'Every pod trusts the new authority; from now on it issues all certificates.',
    }
  const phase = wanted.paused ? now.phase : towards(now.phase, wanted.target)
  if (phase !== now.phase)
    return {
      authorities: { ...now, phase },
      reason: 'TlsPhaseChanged',
      note: `Every pod has taken phase ${now.phase} over; the next is ${phase}.`,
    }
  const { authority } = wanted.asked
  if (authority === now.asked.authority && !isAuthorityDue(now, nowUs)) return undefined
  return {
    authorities: { ...now, next: makeAuthority(nowUs), asked: { ...now.asked, authority } },
    reason: 'AuthorityMade',
    note: 'A new authority is made; it issues certificates once every pod trusts it.',
  }
}

/** Two thirds of its life are over, or its key is lost. */
const isAuthorityDue = ({ current }: Authorities, nowUs: number): boolean =>
  current.keyPem === '' || nowUs >= lifeOf(current.certificatePem).renewUs

/** One phase nearer. */
export function towards(phase: TlsPhase, target: TlsPhase): TlsPhase {
  const at = TLS_PHASES.indexOf(phase)
  return TLS_PHASES[at + Math.sign(TLS_PHASES.indexOf(target) - at)] ?? phase
}

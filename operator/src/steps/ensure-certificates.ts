import { isDeepStrictEqual } from 'node:util'
import type { TlsFiles, TlsPhase } from '@truenow/chassis/tls-credentials.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import { RENEW_AUTHORITY_ANNOTATION, RENEW_LEAVES_ANNOTATION } from '../api/names.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { askPods } from '../certificates/ask-pods.ts'
import {
  type Asked,
  type Authorities,
  leafRenewalFrom,
  lifeOf,
  makeAuthority,
} from '../certificates/authorities.ts'
import {
  type ClusterSecrets,
  readSecrets,
  writeAuthorities,
  writeLeaf,
} from '../certificates/cluster-secrets.ts'
import { authoritiesOfLeaf, LEAF_ROLES, leafFiles } from '../certificates/leaf-secret.ts'
import { hasWorkloads, mountsCertificates } from '../certificates/mounts-certificates.ts'
import { nextStep, settleSeconds, towards } from '../certificates/plan-authorities.ts'
import { unsettledPods } from '../certificates/unsettled-pods.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { Judgement } from '../conditions/judgement.ts'
import { KubernetesError } from '../kubernetes/kubernetes-port.ts'
import type { OperatorContext } from '../operator-context.ts'
import { rfc3339 } from '../rfc3339.ts'
import type { Step, StepResult } from '../step.ts'

type Mode = 'Disable' | 'Prefer' | 'Require'
/** Where the phases of each mode lead. */
const TARGETS: Readonly<Record<Mode, TlsPhase>> = { Disable: 'accept', Prefer: 'use', Require: 'require' }
/** Certificates are looked at so often while nothing is to be done, and while pods are waited for. */
const REST_MS = 600_000
const LOOK_MS = 5_000
const SECURED = 'Secured'

/**
 * Authority and certificates of a cluster whose spec.tls asks for them: made, renewed in time, and led from phase to phase and from
 * authority to authority, each step when every pod has said that it took the one before. Waiting for pods holds nothing else up;
 * that is told by the condition Secured. Certificates are renewed also while the cluster is paused.
 */
export function ensureCertificates(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'ensure-certificates',
    condition: 'Synced',
    run: async (cluster, { paused }) => {
      const { uid, generation } = cluster.metadata
      const mode = (cluster.spec.tls?.mode ?? 'Disable') as Mode
      if (mode === 'Disable' && !mountsCertificates(context, cluster)) return done('none', false)
      const aim: Aim = { mode, paused: paused === true, asked: askedOf(cluster) }
      const asked = JSON.stringify([generation, aim])
      const nowMs = context.clock.monotonicMs()
      const last = context.certificates.get(uid)
      if (last !== undefined && last.asked === asked && nowMs < last.untilMs) return last.result
      try {
        const result = await look(context, cluster, aim)
        const rests = result.kind === 'done' && isTrue(result.facts?.secured)
        context.certificates.set(uid, { asked, result, untilMs: nowMs + (rests ? REST_MS : LOOK_MS) })
        return result
      } catch (error) {
        if (!(error instanceof KubernetesError) || error.status !== 403 || isEnding(error)) throw error
        const message = `The operator may not read or write Secrets (${error.message}); upgrade the chart, whose rights have them since spec.tls exists, or set spec.tls.mode to Disable.`
        return { kind: 'wait', seconds: 30, reason: 'SecretsForbidden', message }
      }
    },
  }
}

/** Whose namespace goes; runSteps knows what to say of it. */
const isEnding = ({ message }: KubernetesError): boolean => message.includes('being terminated')
const isTrue = (secured: ClusterFacts['secured']): boolean =>
  typeof secured === 'object' && secured.status === 'True'

type Aim = Readonly<{ mode: Mode; paused: boolean; asked: Asked }>

async function look(
  context: OperatorContext,
  cluster: TrueNowCluster,
  aim: Aim,
): Promise<StepResult<ClusterFacts>> {
  const { kubernetes, operands } = context
  const secrets = await readSecrets(kubernetes, cluster)
  if (secrets.taken !== undefined) {
    const message = `Secret ${secrets.taken} is there and is not this cluster's; delete it, or give the cluster another name.`
    return { kind: 'wait', seconds: 10, reason: 'NameTaken', message }
  }
  const authorities = present(context, cluster, aim, secrets)
  let { version } = secrets
  if (authorities !== secrets.authorities)
    version = await writeAuthorities(kubernetes, cluster, authorities, version)
  const { own, missing } = await writeLeaves(context, cluster, authorities, secrets)
  if (own !== undefined) operands.credentials(cluster.metadata).set(own)
  return advance(context, cluster, aim, { authorities, version, missing })
}

/** What stands, what remains of it in the leaves, or what a cluster begins with; and with what was asked for of the leaves. */
function present(
  context: OperatorContext,
  cluster: TrueNowCluster,
  { mode, asked }: Aim,
  { authorities, leaves }: ClusterSecrets,
): Authorities {
  const nowUs = context.clock.nowUs()
  if (authorities !== undefined) {
    if (authorities.asked.leaves === asked.leaves) return authorities
    const { authority } = authorities.asked
    return {
      ...authorities,
      leavesFromUs: leafRenewalFrom(nowUs),
      asked: { authority, leaves: asked.leaves },
    }
  }
  for (const files of leaves.values()) {
    const found = authoritiesOfLeaf(files)
    if (found !== undefined) return { ...found, leavesFromUs: 0, asked }
  }
  // Where no pod runs yet, nobody needs to be led there.
  const phase = hasWorkloads(context, cluster) ? 'accept' : TARGETS[mode]
  return { current: makeAuthority(nowUs), phase, leavesFromUs: 0, asked }
}

/** Every role's certificate as it shall be. Answers the operator's own, and roles that cannot get one. */
async function writeLeaves(
  { kubernetes, clock, record }: OperatorContext,
  cluster: TrueNowCluster,
  authorities: Authorities,
  { leaves }: ClusterSecrets,
): Promise<Readonly<{ own: TlsFiles | undefined; missing: readonly Role[] }>> {
  const { namespace, name } = cluster.metadata
  const missing: Role[] = []
  const renewals: string[] = []
  let own: TlsFiles | undefined
  for (const role of LEAF_ROLES) {
    const standing = leaves.get(role)
    const identity = { namespace, cluster: name, role }
    const { files, renewed } = leafFiles(standing, authorities, identity, clock.nowUs())
    if (role === 'operator') own = files
    if (files === undefined) missing.push(role)
    else if (!isDeepStrictEqual(files, standing)) await writeLeaf(kubernetes, cluster, role, files)
    if (renewed !== undefined && standing !== undefined) renewals.push(`${role} (${renewed})`)
  }
  if (renewals.length > 0) {
    const note = `Certificates are renewed, without a restart: ${renewals.join(', ')}.`
    await record(cluster, { type: 'Normal', reason: 'CertificateRenewed', action: 'Renew', note })
  }
  return { own, missing }
}

type Standing = Readonly<{ authorities: Authorities; version: string | undefined; missing: readonly Role[] }>

/** The next step where every pod has taken the last one. */
async function advance(
  context: OperatorContext,
  cluster: TrueNowCluster,
  { mode, paused, asked }: Aim,
  { authorities, version, missing }: Standing,
): Promise<StepResult<ClusterFacts>> {
  const { phase } = authorities
  const target = TARGETS[mode]
  const seconds = settleSeconds(phase, towards(phase, target))
  const plainIsFine = mode === 'Disable'
  const waiting = unsettledPods(authorities, await askPods(context, cluster), { seconds, plainIsFine })
  const mounting = mode !== 'Disable' || phase !== 'accept' || waiting.length > 0
  if (waiting.length > 0) return done(judged('False', 'TakingOver', takingOver(phase, waiting)), mounting)
  const next = nextStep(authorities, { target, asked, paused }, context.clock.nowUs())
  if (next !== undefined) {
    await writeAuthorities(context.kubernetes, cluster, next.authorities, version)
    const { reason, note } = next
    await context.record(cluster, { type: 'Normal', reason, action: 'LeadCertificates', note })
    return done(judged('False', reason, note), true)
  }
  if (!mounting) return done('none', false)
  if (missing.length > 0) return done(judged('False', 'AuthorityKeyLost', keyLost(missing)), mounting)
  if (phase !== target) return done(judged('False', 'Paused', `spec.paused holds phase ${phase}.`), mounting)
  return done(
    judged('True', mode === 'Require' ? 'Required' : 'Preferred', secured(mode, authorities)),
    mounting,
  )
}

const WAITING_TOLD_MAX = 5
const takingOver = (phase: TlsPhase, waiting: readonly string[]): string =>
  `In phase ${phase}; ${waiting.length} pods have not taken the newest certificates over yet, which may last two minutes: ${waiting.slice(0, WAITING_TOLD_MAX).join('; ')}.`
const keyLost = (roles: readonly Role[]): string =>
  `The key of the authority is lost; the certificates of ${roles.join(', ')} follow with the next authority.`
const secured = (mode: Mode, { current }: Authorities): string =>
  `Roles show each other certificates; plain text between them is ${mode === 'Require' ? 'refused' : 'taken as well'}. The authority holds until ${rfc3339(lifeOf(current.certificatePem).untilUs)}.`

const judged = (status: Judgement['status'], reason: string, message: string): Judgement => ({ type: SECURED, status, reason, message }) // biome-ignore format: one line
const done = (secured: Judgement | 'none', mounting: boolean): StepResult<ClusterFacts> => ({ kind: 'done', facts: { secured, mounting } }) // biome-ignore format: one line

const askedOf = ({ metadata: { annotations = {} } }: TrueNowCluster): Asked => ({
  leaves: annotations[RENEW_LEAVES_ANNOTATION] ?? '',
  authority: annotations[RENEW_AUTHORITY_ANNOTATION] ?? '',
})

import type { MessageInitShape } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { MovesResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Send } from '../../src/kubernetes/kubernetes-call.ts'
import type { ControlPlane, Operands } from '../../src/operands.ts'

type Request = Parameters<Send>[0]
export type CrashGate = ReturnType<typeof createCrashGate>

const READS = ['GET', 'HEAD']
const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'replace', DELETE: 'delete' }

/** The writes of one operator; they outlive a process of it that gave up by itself, as one does that was not scheduled for long. */
export type WriteLog = {
  /** Since when writes are noted. */
  counting: boolean
  readonly writes: string[]
  readonly counts: Map<string, number>
  /** Commands of the control plane, each with what it came to. */
  readonly told: Set<string>
  readonly dies: (write: string) => boolean
  readonly onDeath: () => void
}
export const createWriteLog = (dies: WriteLog['dies'] = () => false, onDeath = () => {}): WriteLog => ({
  ...{ counting: false, writes: [], counts: new Map(), told: new Set<string>() },
  ...{ dies, onDeath },
})

/**
 * All that leaves one operator goes through here: to the API server and to the control plane. Every write gets a name, such as
 * `apply deployments/demo-query #2`. After the first write of which `dies` says so took effect, and before its answer is heard, the
 * operator is dead: nothing more leaves it, nothing reaches it, and its connections are cut. What its code still does in this
 * process, the world cannot see.
 */
export function createCrashGate(log: WriteLog) {
  const killed = new AbortController()
  const kill = () => killed.abort(new Error('killed'))
  /** Notes a write that took effect. Errors: when it was the last of this life. */
  const wrote = (name: string) => {
    killed.signal.throwIfAborted()
    if (!log.counting) return
    const count = (log.counts.get(name) ?? 0) + 1
    log.counts.set(name, count)
    const write = `${name} #${count}`
    log.writes.push(write)
    if (!log.dies(write)) return
    kill()
    log.onDeath()
    killed.signal.throwIfAborted()
  }
  const send =
    (next: Send): Send =>
    async (request) => {
      killed.signal.throwIfAborted()
      const signal = AbortSignal.any([request.signal, killed.signal])
      const answer = await next({ ...request, signal })
      if (!READS.includes(request.method) && answer.status < 300 && !isRenewal(request))
        wrote(nameOf(request))
      killed.signal.throwIfAborted()
      return answer
    }
  /** Commands are repeated with every pass; one that says and comes to what it did before is no write. */
  const command =
    <Name extends keyof ControlPlane>(name: Name, plane: ControlPlane) =>
    async (asked: MessageInitShape<never>, ...rest: []) => {
      if (killed.signal.aborted) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'killed')
      const answer = await (plane[name] as (request: unknown) => Promise<unknown>)(asked, ...rest)
      const what = JSON.stringify([name, asked, phasesOf(answer)], plain)
      if (!log.told.has(what)) {
        log.told.add(what)
        wrote(`control plane ${name}`)
      }
      return answer
    }
  const guard = (plane: ControlPlane): ControlPlane => ({
    ...plane,
    ...(Object.fromEntries(
      COMMANDS.map((name) => [name, command(name, plane)]),
    ) as unknown as Partial<ControlPlane>),
    getPlacement: async (...asked) => {
      if (killed.signal.aborted) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'killed')
      return plane.getPlacement(...asked)
    },
  })
  return {
    kill,
    isDead: () => killed.signal.aborted,
    send,
    operands: (operands: Operands): Operands => ({
      ...operands,
      controlPlane: (cluster) => guard(operands.controlPlane(cluster)),
    }),
  }
}

const COMMANDS = ['putCluster', 'putTable', 'deleteTable', 'deleteCluster', 'grantLeader', 'planMoves', 'approveMoves', 'advanceMoves', 'cancelMoves', 'retireShards'] as const // biome-ignore format: one line

/** The lease is renewed every two seconds, so how often depends on the machine; that it is taken is a write like any other. */
const isRenewal = ({ method, path }: Request): boolean => method === 'PUT' && path.includes('/leases/')

function nameOf({ method, path, headers, body = '{}' }: Request): string {
  const { pathname } = new URL(path, 'http://api')
  const [, plain = pathname] = /\/namespaces\/[^/]+\/(.+)$/.exec(pathname) ?? []
  const isApply = headers['content-type']?.includes('apply-patch') === true
  const verb = VERBS[method] ?? (isApply ? 'apply' : 'patch')
  const given = JSON.parse(body) as { metadata?: { name?: string }; reason?: string }
  // An Event is named after the moment; its reason says which one it is.
  if (plain.startsWith('events')) return `${verb} events ${given.reason ?? ''}`.trim()
  return `${verb} ${method === 'POST' ? `${plain}/${given.metadata?.name ?? ''}` : plain}`
}

/** Where the moves stand; their messages count bytes. */
const phasesOf = (answer: unknown) => (answer as Partial<MovesResponse>).moves?.map(({ phase }) => phase)
const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

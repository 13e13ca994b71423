import { type TlsFiles, type TlsMaterial, tlsMaterial } from '@truenow/chassis/tls-credentials.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { ROLE_CALLS } from '@truenow/contracts/role-calls.ts'
import { decodeLeaf } from '../src/certificates/leaf-secret.ts'
import type { PodAnswer } from '../src/certificates/unsettled-pods.ts'
import { DEMO, type Operator, type Scene } from './scene.ts'

type Held = { uid: string; files: TlsFiles | undefined; sinceMs: number; reads: number }
type Template = Readonly<{
  spec: Readonly<{
    volumes: ReadonlyArray<Readonly<{ name: string; secret?: Readonly<{ secretName: string }> }>>
  }>
}>
const SECRET_OF = (template: Template) =>
  template.spec.volumes.find(({ name }) => name === 'tls')?.secret?.secretName

/**
 * The pods of a scene as far as certificates go: those of Deployments are made here and roll by themselves, those of shards are
 * the scene's and go when the operator restarts them. Each has the version of its Secret that its kubelet last wrote, which is
 * an old one until `refresh`.
 */
export function createPodsWithCertificates(scene: Scene) {
  const { kubernetes, clock } = scene
  const held = new Map<string, Held>()
  const podsOf = () => kubernetes.list('Pod')
  const mounted = (name: string): TlsFiles | undefined => {
    const data = kubernetes.find('Secret', { ...DEMO, name })?.data as Record<string, string> | undefined
    return data === undefined ? undefined : decodeLeaf(data)
  }
  const make = (name: string, role: string, template: Template, number: number) => {
    const secretName = SECRET_OF(template)
    // As the kubelet does: no container starts before its volumes are there.
    const files = secretName === undefined ? undefined : mounted(secretName)
    if (secretName !== undefined && files === undefined) return
    const labels = { 'truenow.io/cluster': 'demo', 'app.kubernetes.io/component': role }
    const podIP = `10.0.0.${number}`
    kubernetes.create({ apiVersion: 'v1', kind: 'Pod', metadata: { ...DEMO, name, labels, annotations: { secret: secretName ?? '' } }, status: { podIP } }) // biome-ignore format: one line
    hold(name, files)
  }
  const hold = (name: string, files: TlsFiles | undefined) => {
    const uid = kubernetes.find('Pod', { ...DEMO, name })?.metadata.uid ?? ''
    held.set(name, { uid, files, sinceMs: clock.monotonicMs(), reads: 0 })
  }
  /** A pod of a shard that is new since the last look mounts what its set says by now. */
  const adopt = (name: string, template: Template) => {
    const pod = kubernetes.find('Pod', { ...DEMO, name })
    if (pod === undefined || held.get(name)?.uid === pod.metadata.uid) return
    const secretName = SECRET_OF(template)
    const files = secretName === undefined ? undefined : mounted(secretName)
    held.delete(name)
    if (secretName !== undefined && files === undefined) return
    const annotations = { secret: secretName ?? '' }
    kubernetes.edit('Pod', { ...DEMO, name }, ({ metadata }) => void Object.assign(metadata as object, { annotations })) // biome-ignore format: one line
    hold(name, files)
  }
  const remove = (name: string) => {
    kubernetes.delete('Pod', { ...DEMO, name })
    held.delete(name)
  }
  /** Makes pods that are wanted and rolls those of Deployments. */
  const run = () => {
    scene.runKubelet()
    let number = 0
    for (const kind of ['Deployment', 'StatefulSet'])
      for (const workload of kubernetes.list(kind)) {
        const { replicas, template } = workload.spec as { replicas: number; template: Template }
        const role = workload.metadata.name.slice('demo-'.length)
        for (let ordinal = 0; ordinal < replicas; ordinal++) {
          number += 1
          const name = `${workload.metadata.name}-${ordinal}`
          if (kind === 'StatefulSet') adopt(name, template)
          else roll(name, role, template, number)
        }
      }
  }
  const roll = (name: string, role: string, template: Template, number: number) => {
    const pod = kubernetes.find('Pod', { ...DEMO, name })
    const isOld = pod !== undefined && pod.metadata.annotations?.secret !== (SECRET_OF(template) ?? '')
    if (isOld) remove(name)
    if (pod === undefined || isOld) make(name, role, template, number)
  }
  const refresh = (name: string) => {
    const pod = kubernetes.find('Pod', { ...DEMO, name })
    const one = held.get(name)
    const secretName = pod?.metadata.annotations?.secret ?? ''
    if (one === undefined || secretName === '') return
    const files = mounted(secretName)
    // A volume stays as it is while its Secret is away, and the process keeps what it has where that does not fit.
    if (files === undefined || !fits(files) || JSON.stringify(files) === JSON.stringify(one.files)) return
    held.set(name, { ...one, files, sinceMs: clock.monotonicMs(), reads: one.reads + 1 })
  }
  const answer = async (address: string): Promise<PodAnswer> => {
    const [ip, port] = address.split(':')
    const pod = podsOf().find(({ status }) => (status as { podIP: string }).podIP === ip)
    const role = pod?.metadata.labels?.['app.kubernetes.io/component'] as Role | undefined
    const one = pod === undefined ? undefined : held.get(pod.metadata.name)
    if (one === undefined || role === undefined || String(ROLE_PORTS[role].http) !== port) return undefined
    if (one.files === undefined) return 'plain'
    const { phase, authority, trusted, untilUs } = materialOf(one.files)
    const heldSeconds = Math.floor((clock.monotonicMs() - one.sinceMs) / 1_000)
    return { phase, authority, trusted, untilUs, serial: '', heldSeconds }
  }
  const alive = () =>
    new Map(
      [...held].filter(([name, { uid }]) => kubernetes.find('Pod', { ...DEMO, name })?.metadata.uid === uid),
    )
  scene.scene.askPodTls = answer
  return {
    run,
    refresh,
    names: () => podsOf().map(({ metadata }) => metadata.name),
    restartShards: () => {
      for (const { metadata } of podsOf())
        if (metadata.name.startsWith('demo-hot-tier-')) {
          remove(metadata.name)
          run()
        }
    },
    held: (name: string) => held.get(name),
    failingCalls: (operator?: Operator) =>
      failingCalls(
        alive(),
        operator && { files: operator.context.operands.credentials(DEMO).current()?.files },
      ),
  }
}

const materials = new WeakMap<TlsFiles, TlsMaterial>()
/** Parsed once: every pair of pods is looked at after every read of a volume. */
function materialOf(files: TlsFiles): TlsMaterial {
  const known = materials.get(files) ?? tlsMaterial(files)
  materials.set(files, known)
  return known
}

const fits = (files: TlsFiles): boolean => {
  try {
    materialOf(files)
    return true
  } catch {
    return false
  }
}

/** Every call that one pod, or the operator, makes to another and that would fail now, with what either holds at this very moment. */
function failingCalls(held: ReadonlyMap<string, Held>, operator: Pick<Held, 'files'> | undefined): string[] {
  const all = [
    ...[...held].map(([name, { files }]) => ({
      name,
      role: name.slice('demo-'.length).replace(/-\d+$/, ''),
      files,
    })),
    ...(operator === undefined ? [] : [{ name: 'operator', role: 'operator', files: operator.files }]),
  ]
  return all.flatMap((from) =>
    all
      .filter((to) => ROLE_CALLS.some(([caller, called]) => caller === from.role && called === to.role))
      .flatMap((to) => {
        const why = whyFails(from.files, to.files)
        return why === undefined ? [] : [`${from.name} → ${to.name}: ${why}`]
      }),
  )
}

function whyFails(from: TlsFiles | undefined, to: TlsFiles | undefined): string | undefined {
  if (from === undefined || from.phase === 'accept')
    return to?.phase === 'require' ? 'plain text is refused' : undefined
  if (to === undefined) return 'the other has no certificates'
  const [caller, called] = [materialOf(from), materialOf(to)]
  if (!caller.trusted.includes(called.authority)) return 'the caller does not trust the other'
  return called.trusted.includes(caller.authority) ? undefined : 'the other does not trust the caller'
}

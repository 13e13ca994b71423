import { setInterval } from 'node:timers'
import type { Table } from '../src/api/v1alpha1/table.ts'
import { clusterSpec, createScene, DEMO, tableSpec } from './scene.ts'
import { serveKubernetes } from './serve-kubernetes.ts'

/*
 * The API server of scale.bench.ts, in a process of its own so that the operator's memory is its own: a Kubernetes in memory
 * behind HTTP, whose kubelet makes every pod ready. Its parent asks by messages and gets one answer each.
 */
export type Asked =
  | Readonly<{ do: 'address' | 'counts' | 'ready' }>
  | Readonly<{ do: 'create'; tables: number; slots: number }>
  | Readonly<{ do: 'edit'; table: string; retention: string }>
export type Answered = Readonly<{
  baseUrl?: string
  /** Requests since the start by `<verb> <kind>`. */
  counts?: Readonly<Record<string, number>>
  readyTables?: number
  clusterReady?: boolean
}>
const KUBELET_MS = 250

const scene = createScene()
scene.createCluster(clusterSpec({ hotTier: { ...clusterSpec().hotTier, shards: 4 } }))
const server = await serveKubernetes(scene.kubernetes)
setInterval(() => scene.runKubelet(), KUBELET_MS)

function answer(asked: Asked): Answered {
  if (asked.do === 'address') return { baseUrl: server.baseUrl }
  if (asked.do === 'counts') {
    const counts: Record<string, number> = {}
    for (const { verb, kind } of server.calls)
      counts[`${verb} ${kind}`] = (counts[`${verb} ${kind}`] ?? 0) + 1
    return { counts }
  }
  if (asked.do === 'create') {
    const { tables, slots } = asked
    for (let index = 0; index < tables; index++) scene.createTable(`table-${index}`, tableSpec({ slots }))
    return {}
  }
  if (asked.do === 'edit') {
    scene.kubernetes.edit('Table', { ...DEMO, name: asked.table }, (draft) => {
      Object.assign(draft.spec as object, { retention: asked.retention })
    })
    return {}
  }
  const tables = scene.kubernetes.list('Table') as unknown as Table[]
  const ready = tables.filter(({ status, spec }) => status?.slotsReady === `${spec.slots}/${spec.slots}`)
  return { readyTables: ready.length, clusterReady: scene.cluster()?.status?.phase === 'Ready' }
}
process.on('message', (asked: Asked) => process.send?.(answer(asked)))
process.on('disconnect', () => process.exit(0))

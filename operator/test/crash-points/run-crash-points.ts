import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { startPostgres } from '@truenow/chassis/testing/start-postgres.ts'
import { CRASH_STORIES, type CrashStory } from './crash-stories.ts'
import { createPool } from './create-pool.ts'
import { connectRealApiServer } from './real-api-server.ts'
import { applyScriptedNodes, createScriptedKubelet } from './scripted-kubelet.ts'
import { startScriptedMetrics } from './scripted-metrics.ts'
import { walkCrashPoints } from './walk-crash-points.ts'
import { walkFaults } from './walk-faults.ts'
import { walkSample } from './walk-sample.ts'

/*
 * Runs inside the network of an API server (run-in-layer.ts). STORIES, POINTS, KINDS: patterns, as prove-crash-points.ts has them;
 * WORLDS: how many walks at once. On stdout one line of JSON a protocol once all its points are walked, and another once it was walked
 * under every fault, drawn by SEED. With SAMPLE, a seed: only what walk-sample.ts draws by it, and one line that tells what struck.
 */
const {
  KUBECONFIG = '',
  STORIES = '',
  POINTS = '',
  KINDS = '',
  SAMPLE,
  SEED = '1',
  WORLDS = '8',
} = process.env
/** Namespaces of an earlier run against the same API server stay. */
const prefix = `w${Date.now().toString(36)}-`
const log = createLog({ role: 'operator', level: 'ERROR' })
const api = connectRealApiServer(KUBECONFIG)
const server = await startPostgres()
await applyScriptedNodes(api)
const kubelet = createScriptedKubelet(api, log)
await kubelet.hasSynced()
const metrics = await startScriptedMetrics(api, kubelet)
const kafka = createKafkaInMemory({ clock: systemClock })
const layer = { api, kubelet, metrics, postgresUrl: server.url, kafka }
const pool = createPool(Number(WORLDS))
const stories = CRASH_STORIES.filter(({ name }) => new RegExp(STORIES).test(name))
const print = (line: string) => void process.stderr.write(`${line}\n`)
const tell = (result: unknown) => void process.stdout.write(`${JSON.stringify(result)}\n`)
try {
  if (SAMPLE !== undefined) tell(await walkSample(layer, stories, { seed: Number(SAMPLE), prefix }))
  else await walkAll()
} finally {
  await metrics.close()
  await kubelet.close()
  await server.stop()
  await api.close()
}
if (kubelet.failures.length > 0) throw new Error(`the scripted kubelet failed: ${kubelet.failures[0]}`)

/** One protocol after the other, as far as there is room, and the faults last: what is walked to its end counts if the rest is not. */
async function walkAll(): Promise<void> {
  const points = new RegExp(POINTS)
  const kinds = new RegExp(KINDS)
  const kill = async (story: CrashStory, rank: number) =>
    tell(await walkCrashPoints(layer, story, { pool, rank, prefix: `${prefix}${rank}`, points, print }))
  const disturb = async (story: CrashStory, number: number) => {
    const at = { pool, rank: stories.length + number, prefix: `${prefix}f${number}`, print }
    // Drawn by where it stands among all, so that a protocol by itself meets the same.
    const seed = Number(SEED) + 100 * CRASH_STORIES.indexOf(story)
    tell(await walkFaults(layer, story, { ...at, seed }))
  }
  await Promise.all([
    ...(kinds.test('killed') ? stories.map(kill) : []),
    ...(kinds.test('disturbed') ? stories.map(disturb) : []),
  ])
}

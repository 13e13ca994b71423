import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { startPostgres } from '@truenow/chassis/testing/start-postgres.ts'
import { CRASH_STORIES } from './crash-stories.ts'
import { createPool } from './create-pool.ts'
import { connectRealApiServer } from './real-api-server.ts'
import { applyScriptedNodes, createScriptedKubelet } from './scripted-kubelet.ts'
import { walkCrashPoints } from './walk-crash-points.ts'
import { walkFaults } from './walk-faults.ts'
import { walkSample } from './walk-sample.ts'

/*
 * Runs inside the network of an API server (run-in-layer.ts). STORIES: a pattern of names; WORLDS: how many at once. On stdout one
 * line of JSON a protocol, and one for each fault that some of them are walked under, drawn by SEED. With SAMPLE, a seed: only what
 * walk-sample.ts draws by it, and one line that tells what struck.
 */
const { KUBECONFIG = '', STORIES = '', SAMPLE, SEED = '1', WORLDS = '8' } = process.env
/** Namespaces of an earlier run against the same API server may still be on their way out. */
const prefix = `w${Date.now().toString(36)}-`
const log = createLog({ role: 'operator', level: 'ERROR' })
const api = connectRealApiServer(KUBECONFIG)
const server = await startPostgres()
await applyScriptedNodes(api)
const kubelet = createScriptedKubelet(api, log)
await kubelet.hasSynced()
const layer = { api, kubelet, postgresUrl: server.url, kafka: createKafkaInMemory({ clock: systemClock }) }
const pool = createPool(Number(WORLDS))
const stories = CRASH_STORIES.filter(({ name }) => new RegExp(STORIES).test(name))
const print = (line: string) => void process.stderr.write(`${line}\n`)
const tell = (result: unknown) => void process.stdout.write(`${JSON.stringify(result)}\n`)
try {
  if (SAMPLE !== undefined) tell(await walkSample(layer, stories, { seed: Number(SAMPLE), prefix }))
  else await walkAll()
} finally {
  await kubelet.close()
  await server.stop()
  await api.close()
}
if (kubelet.failures.length > 0) throw new Error(`the scripted kubelet failed: ${kubelet.failures[0]}`)

/** Death after every write first, then the faults: both beside each other would make either slow. */
async function walkAll(): Promise<void> {
  await Promise.all(
    stories.map(async (story, number) =>
      tell(await walkCrashPoints(layer, story, { pool, prefix: `${prefix}${number}`, print })),
    ),
  )
  await Promise.all(
    stories
      .filter(({ underFaults }) => underFaults === true)
      .map(async (story, number) => {
        const at = { pool, prefix: `${prefix}f${number}`, seed: Number(SEED) + 100 * number, print }
        for (const result of await walkFaults(layer, story, at)) tell(result)
      }),
  )
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { topicName } from '@truenow/contracts/topics.ts'
import { DEMO_TABLE } from '../src/demo-table.ts'
import { startDev } from '../src/start-dev.ts'
import { dataPlaneCases } from './data-plane.cases.ts'

const startWorld = (workers: number) => async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'truenow-test-'))
  const lines: string[] = []
  const dev = await startDev({
    portBase: 0,
    dataDirectory,
    workers,
    version: '0.0.0-test',
    onStep: () => {},
    log: { level: 'INFO', destination: { write: (line) => lines.push(line) } },
  })
  return {
    ...dev,
    forgetLog: async () => {
      const { log } = dev.outside
      const topic = topicName({ kubernetesNamespace: 'local', cluster: 'dev' }, DEMO_TABLE.namespace, DEMO_TABLE.name) // biome-ignore format: one line
      for (let slot = 0; slot < DEMO_TABLE.slots; slot++)
        log.truncate(topic, slot, (await log.offsetRange(topic, slot)).endOffset)
    },
    errors: () => lines.filter((line) => line.includes('"level":"ERROR"')),
    close: async () => {
      await dev.close()
      await rm(dataDirectory, { recursive: true, force: true })
    },
  }
}

dataPlaneCases('all roles in one process, in memory', startWorld(0))
dataPlaneCases('all roles in one process, in memory, with two worker threads a shard', startWorld(2))

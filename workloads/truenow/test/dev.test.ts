import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDev } from '../src/start-dev.ts'
import { dataPlaneCases } from './data-plane.cases.ts'

dataPlaneCases('all roles in one process, in memory', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'truenow-test-'))
  const lines: string[] = []
  const dev = await startDev({
    portBase: 0,
    dataDirectory,
    version: '0.0.0-test',
    onStep: () => {},
    log: { level: 'INFO', destination: { write: (line) => lines.push(line) } },
  })
  return {
    ...dev,
    errors: () => lines.filter((line) => line.includes('"level":"ERROR"')),
    close: async () => {
      await dev.close()
      await rm(dataDirectory, { recursive: true, force: true })
    },
  }
})

import { dataPlaneCases } from './data-plane.cases.ts'
import { startProcesses } from './start-processes.ts'

dataPlaneCases('each role a process, real Kafka, PostgreSQL and Redis', () => startProcesses())

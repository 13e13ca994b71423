import { existsSync } from 'node:fs'
import { binariesDirectory } from './binaries/binaries-directory.ts'
import { goNeeded, goSuffices, goVersion } from './binaries/go-version.ts'
import { kafkaDirectory } from './images/kafka-directory.ts'
import { runCommand } from './run-command.ts'

/** What decides whether everything that `make up` needs can be built here. */
export type Tools = Readonly<{
  /** As Go says it, such as `go1.24.3`; empty: none. */
  go: string
  /** Kubernetes is built already, so Go is not needed. */
  binariesCached: boolean
  /** Why there is no full JDK. It is needed even then: its version is part of the name under which Kafka is kept. */
  javaProblem: string | undefined
  maven: boolean
  /** Kafka's files are there already, so Maven is not needed. */
  kafkaCached: boolean
}>

/** Undefined when nothing is missing, else the message to end with (exit code 2): all that is missing at once. Pure. */
export function missingTools(tools: Tools): string | undefined {
  const { go, binariesCached, javaProblem, maven, kafkaCached } = tools
  const missing = [
    ...(binariesCached || goSuffices(go) ? [] : [`${goNeeded}, to build Kubernetes: found ${go || 'none'}`]),
    ...(javaProblem === undefined ? [] : [`a JDK 17 or newer, for Kafka: ${javaProblem}`]),
    ...(kafkaCached || maven ? [] : ['Maven, to fetch Kafka: no mvn on PATH']),
  ]
  if (missing.length === 0) return undefined
  return `make up: this machine lacks\n${missing.map((line) => `  - ${line}`).join('\n')}\nInstall that and put it on PATH.`
}

/** What is here; half a second. */
export async function toolsHere(root: string): Promise<Tools> {
  const [go, maven, kafka] = await Promise.all([
    goVersion(),
    runCommand(['/bin/sh', '-c', 'command -v mvn']),
    kafkaDirectory(root).catch((error: Error) => error),
  ])
  return {
    go,
    binariesCached: existsSync(binariesDirectory(root)),
    javaProblem: kafka instanceof Error ? kafka.message : undefined,
    maven: maven.code === 0,
    kafkaCached: !(kafka instanceof Error) && existsSync(kafka.directory),
  }
}

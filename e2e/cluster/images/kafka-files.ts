import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun } from '../run-command.ts'
import { javaModules, kafkaDirectory } from './kafka-directory.ts'

export type KafkaFiles = Readonly<{ jars: string; runtime: string; key: string }>

/** Kafka's jars by Maven and a small Java runtime by jlink, below `.cache`; done once per version of both. */
export async function kafkaFiles(root: string, tracked: readonly string[] = []): Promise<KafkaFiles> {
  const { pom, javaHome: java, key, directory } = await kafkaDirectory(root)
  const files = { jars: join(directory, 'jars'), runtime: join(directory, 'runtime'), key }
  if (existsSync(directory)) return files
  const work = `${directory}.new`
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  const target = `-DoutputDirectory=${join(work, 'jars')}`
  await mustRun([...tracked, 'mvn', '-q', '-B', '-f', pom, 'dependency:copy-dependencies', target])
  const small = ['--strip-java-debug-attributes', '--no-header-files', '--no-man-pages']
  const runtime = join(work, 'runtime')
  await mustRun([
    join(java, 'bin/jlink'),
    ...small,
    '--add-modules',
    javaModules.join(','),
    '--output',
    runtime,
  ])
  await mustRun([join(runtime, 'bin/java'), '-Xshare:dump']) // Shared classes: starts a third faster.
  renameSync(work, directory)
  return files
}

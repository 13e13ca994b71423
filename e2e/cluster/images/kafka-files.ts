import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mustRun, runCommand } from '../run-command.ts'
import { contentHash } from './content-hash.ts'

/** What Kafka 4.1 asks of a Java runtime; everything else is left out of it. */
const javaModules = [
  'java.base',
  'java.desktop',
  'java.logging',
  'java.management',
  'java.naming',
  'java.net.http',
  'java.security.jgss',
  'java.security.sasl',
  'java.sql',
  'java.xml',
  'jdk.crypto.ec',
  'jdk.management',
  'jdk.unsupported',
]

export type KafkaFiles = Readonly<{ jars: string; runtime: string; key: string }>

/** Kafka's jars by Maven and a small Java runtime by jlink, below `.cache`; done once per version of both. */
export async function kafkaFiles(root: string, tracked: readonly string[] = []): Promise<KafkaFiles> {
  const pom = join(import.meta.dirname, 'kafka', 'pom.xml')
  const java = await javaHome()
  const release = readFileSync(join(java, 'release'))
  const key = contentHash([readFileSync(pom), release, ...javaModules])
  const directory = join(root, '.cache', 'kafka', key)
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

async function javaHome(): Promise<string> {
  const found = await runCommand(['/bin/sh', '-c', 'command -v jlink || command -v java'])
  if (found.code !== 0) throw new Error('no java on PATH; install a JDK 17 or newer (with jlink) and Maven')
  const home = dirname(dirname(realpathSync(found.stdout.trim())))
  if (!existsSync(join(home, 'bin/jlink')) || !existsSync(join(home, 'jmods'))) {
    throw new Error(`${home} is a Java runtime without jlink or jmods; install a full JDK 17 or newer`)
  }
  return home
}

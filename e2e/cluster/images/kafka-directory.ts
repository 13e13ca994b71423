import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../run-command.ts'
import { contentHash } from './content-hash.ts'

/** What Kafka 4.1 asks of a Java runtime; everything else is left out of it. */
export const javaModules = [
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
] as const

export type KafkaDirectory = Readonly<{ pom: string; javaHome: string; key: string; directory: string }>

/** Where Kafka's files are or will be: named by its version and by that of the JDK here. Throws where there is no JDK. */
export async function kafkaDirectory(root: string): Promise<KafkaDirectory> {
  const pom = join(import.meta.dirname, 'kafka', 'pom.xml')
  const home = await javaHome()
  const release = readFileSync(join(home, 'release'))
  const key = contentHash([readFileSync(pom), release, ...javaModules])
  return { pom, javaHome: home, key, directory: join(root, '.cache', 'kafka', key) }
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

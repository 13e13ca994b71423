import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isIP, Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { connect, createSecureContext } from 'node:tls'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { AuthenticationProviderArgs, Authenticator, KafkaConfig } from 'kafkajs'
import type { KafkaSettings } from './kafka-config.ts'

/** How brokers are spoken to: what kafkajs takes, and a fingerprint by which a change of the files is seen. */
export type KafkaAccess = Readonly<{
  options: Pick<KafkaConfig, 'ssl' | 'sasl' | 'socketFactory'>
  /** SHA-256 over all files; of those that cannot be read, over why. */
  fingerprint: () => string
}>
export const PLAIN_TEXT: KafkaAccess = { options: {}, fingerprint: () => '' }

const KEEP_ALIVE_MS = 60_000
/** The exchanges of kafkajs, by mechanism. They are exported nowhere, so the version is pinned exactly. */
const EXCHANGES = { PLAIN: 'plain', 'SCRAM-SHA-256': 'scram256', 'SCRAM-SHA-512': 'scram512' } as const
type Credentials = Readonly<{ username: string; password: string }>
type Exchange = (credentials: Credentials) => (args: AuthenticationProviderArgs) => Authenticator
const require = createRequire(import.meta.url)

/**
 * TLS and credentials as the settings say. Their files are read for each connection that is made, a few small reads of a memory
 * file system, so that a rotated one is taken over without a restart and without a timer; connections that stand stay. A file
 * that is missing or wrong fails that connection with TN_CONFIG_INVALID and what to do, and the next one reads it again.
 */
export function kafkaAccess(settings: KafkaSettings): KafkaAccess {
  const { TRUENOW_KAFKA_TLS: tls, TRUENOW_KAFKA_SASL_MECHANISM: mechanism } = settings
  const read = {
    secureContext: () => secureContext(settings),
    credentials: () => credentials(settings.TRUENOW_KAFKA_SASL_DIRECTORY),
  }
  return {
    options: {
      ...(tls ? { ssl: true, socketFactory: tlsSockets(read.secureContext) } : {}),
      ...(mechanism === 'None' ? {} : { sasl: sasl(mechanism, read.credentials) }),
    },
    fingerprint: () => {
      const parts = [
        ...(tls ? [text(() => JSON.stringify(tlsFiles(settings)))] : []),
        ...(mechanism === 'None' ? [] : [text(() => JSON.stringify(read.credentials()))]),
      ]
      return createHash('sha256').update(parts.join('\n')).digest('hex')
    },
  }
}

/** A socket that cannot be made is one that fails: thrown here, the error would lose its code in kafkajs. */
function tlsSockets(context: () => ReturnType<typeof secureContext>): KafkaConfig['socketFactory'] & {} {
  return ({ host, port, onConnect }) => {
    let socket: Socket
    try {
      const name = isIP(host) === 0 ? { servername: host } : {}
      socket = connect({ host, port, ...name, secureContext: context() }, onConnect)
    } catch (error) {
      socket = new Socket()
      process.nextTick(() => socket.destroy(error as Error))
    }
    return socket.setKeepAlive(true, KEEP_ALIVE_MS)
  }
}

/** One reading for one exchange: user name and password of two versions of the Secret would not fit. */
function sasl(mechanism: keyof typeof EXCHANGES, read: () => Credentials): KafkaConfig['sasl'] & {} {
  const exchange = require(`kafkajs/src/broker/saslAuthenticator/${EXCHANGES[mechanism]}.js`) as Exchange
  return { mechanism, authenticationProvider: (args) => exchange(read())(args) }
}

type TlsFiles = Readonly<{ ca?: string; cert?: string; key?: string }>
function tlsFiles(settings: KafkaSettings): TlsFiles {
  const { TRUENOW_KAFKA_CA_FILE: caFile, TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: directory } = settings
  const ca = caFile === '' ? {} : { ca: fileText(caFile) }
  if (directory === '') return ca
  const [cert = '', key = ''] = filesOf(directory, ['tls.crt', 'tls.key'])
  return { ...ca, cert, key }
}

function secureContext(settings: KafkaSettings) {
  const files = tlsFiles(settings)
  if (files.ca !== undefined && !files.ca.includes('-----BEGIN CERTIFICATE-----'))
    throw wrong(settings.TRUENOW_KAFKA_CA_FILE, 'holds no certificate in PEM')
  try {
    return createSecureContext(files)
  } catch {
    // Without the cause: it may quote the key.
    const { TRUENOW_KAFKA_CA_FILE: caFile, TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: directory } = settings
    const places = [caFile, directory].filter((place) => place !== '').join(' or ')
    throw wrong(places, 'is no PEM, or its key is not that of its certificate')
  }
}

function credentials(directory: string): Credentials {
  const [username = '', password = ''] = filesOf(directory, ['username', 'password']).map((one) =>
    one.replace(/\r?\n$/, ''),
  )
  if (username === '' || password === '') throw wrong(directory, 'holds an empty username or password')
  return { username, password }
}

/** All from one version of the Secret: the kubelet writes a new directory and turns a link. */
function filesOf(directory: string, names: readonly string[]): string[] {
  try {
    const place = dirname(realpathSync(join(directory, names[0] ?? '')))
    return names.map((name) => readFileSync(join(place, name), 'utf8'))
  } catch {
    throw wrong(directory, `does not hold ${names.join(' and ')}`)
  }
}

function fileText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw wrong(path, 'cannot be read')
  }
}

function text(read: () => string): string {
  try {
    return read()
  } catch (error) {
    return (error as Error).message
  }
}

const wrong = (place: string, what: string) =>
  new TrueNowError(
    'TN_CONFIG_INVALID',
    `${place} ${what}; correct the Secret that is mounted there, it is read again by itself.`,
  )

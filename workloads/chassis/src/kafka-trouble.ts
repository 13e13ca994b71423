import { TrueNowError } from '@truenow/contracts/errors.ts'
import { certificateError } from './certificate-error.ts'

/** Why Kafka does not answer, in one word for a condition, and with place, rule and remedy for a person. */
export type KafkaTrouble = Readonly<{
  reason: 'KafkaUnreachable' | 'KafkaCertificateRefused' | 'KafkaAuthenticationFailed' | 'KafkaSecretInvalid'
  message: string
}>

/** What a broker answers to a mechanism that it does not have, or to credentials. */
const REFUSALS = ['UNSUPPORTED_SASL_MECHANISM', 'SASL_AUTHENTICATION_FAILED']
/** An error wraps another; a ring would be a bug of somebody's. */
const DEPTH_MAX = 8

/** What stands behind an error of kafkajs, which wraps it once or more. Pure. */
export function kafkaTrouble(error: unknown): KafkaTrouble {
  const chain = causesOf(error)
  const invalid = chain.find(({ code }) => code === 'TN_CONFIG_INVALID')
  if (invalid !== undefined) return { reason: 'KafkaSecretInvalid', message: told(invalid) }
  const refused = chain.find(
    ({ name, type }) => name === 'KafkaJSSASLAuthenticationError' || REFUSALS.includes(String(type)),
  )
  if (refused !== undefined) {
    const message = `Kafka does not take the user name and password of spec.kafka.sasl: ${told(refused)}. Correct the Secret or the mechanism; it is read again for each connection.`
    return { reason: 'KafkaAuthenticationFailed', message }
  }
  const ours = chain.find((one) => certificateError(one) === 'ours')
  if (ours !== undefined) {
    const message = `A broker refuses the connection over TLS: ${told(ours)}. Where it asks for a certificate, spec.kafka.tls.certificateSecretRef must name one that it believes.`
    return { reason: 'KafkaCertificateRefused', message }
  }
  const theirs = chain.find((one) => certificateError(one) === 'theirs')
  if (theirs !== undefined) {
    const message = `The certificate of a broker is not believed: ${told(theirs)}. spec.kafka.tls.caSecretRef must hold the authority that issued it, and spec.kafka.brokers a name that it bears.`
    return { reason: 'KafkaCertificateRefused', message }
  }
  const last = chain.at(-1)
  const message = `No broker of spec.kafka.brokers answers: ${last === undefined ? String(error) : told(last)}. Are they up and reachable from pods, and do spec.kafka.tls and sasl say what that listener speaks?`
  return { reason: 'KafkaUnreachable', message }
}

/** An error of the port for whatever kafkajs threw. Retriable: secrets and brokers may be just changing. */
export function kafkaUnavailable(cause: unknown): TrueNowError {
  if (cause instanceof TrueNowError && cause.code !== 'TN_CONFIG_INVALID') return cause
  const { reason, message } = kafkaTrouble(cause)
  const said = reason === 'KafkaUnreachable' ? (cause as Error).message : message
  return new TrueNowError('TN_KAFKA_UNAVAILABLE', `Kafka did not do it: ${said}`, { cause })
}

type Failure = Error & Readonly<{ code?: unknown; type?: unknown }>
/** The error and what it wraps, outermost first. */
export function causesOf(error: unknown): Failure[] {
  const chain: Failure[] = []
  for (let next = error; next instanceof Error && chain.length < DEPTH_MAX; next = next.cause)
    chain.push(next)
  return chain
}

/** A message that ends where our sentence goes on. */
const told = ({ message }: Error): string => message.replace(/\.$/, '')

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import kafkajs from 'kafkajs'
import { kafkaTrouble, kafkaUnavailable } from './kafka-trouble.ts'

const { KafkaJSConnectionError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } = kafkajs
const { KafkaJSSASLAuthenticationError } = kafkajs
/** Its constructor takes more than its type says. */
const connection = (code: string): Error =>
  Reflect.construct(KafkaJSConnectionError, ['Connection error: why.', { code }])
/** As kafkajs hands it on after its last try. */
const wrapped = (cause: Error): Error => {
  const exceeded = Reflect.construct(KafkaJSNumberOfRetriesExceeded, [cause, { retryCount: 4, retryTime: 1 }])
  return Reflect.construct(KafkaJSNonRetriableError, [exceeded, { cause }])
}

const cases: ReadonlyArray<[what: string, error: Error, reason: string, said: RegExp]> = [
  [
    'an authority that is not believed',
    connection('SELF_SIGNED_CERT_IN_CHAIN'),
    'KafkaCertificateRefused',
    /not believed: Connection error: why\. spec\.kafka\.tls\.caSecretRef/,
  ],
  ['a name that is not borne', connection('ERR_TLS_CERT_ALTNAME_INVALID'), 'KafkaCertificateRefused', /brokers a name/], // biome-ignore format: one line
  ['a certificate that ended', connection('CERT_HAS_EXPIRED'), 'KafkaCertificateRefused', /not believed/],
  [
    'ours that is missing',
    connection('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    'KafkaCertificateRefused',
    /refuses the connection.*certificateSecretRef/,
  ],
  ['a listener in plain text', connection('ERR_SSL_WRONG_VERSION_NUMBER'), 'KafkaUnreachable', /what that listener speaks/], // biome-ignore format: one line
  [
    'a wrong password',
    Reflect.construct(KafkaJSSASLAuthenticationError, ['SCRAM failed']),
    'KafkaAuthenticationFailed',
    /spec\.kafka\.sasl: SCRAM failed\. Correct the Secret/,
  ],
  ['a mechanism that the broker lacks', Object.assign(new Error('no'), { type: 'UNSUPPORTED_SASL_MECHANISM' }), 'KafkaAuthenticationFailed', /or the mechanism/], // biome-ignore format: one line
  [
    'a Secret that is no good',
    new TrueNowError('TN_CONFIG_INVALID', 'it is empty; fill it.'),
    'KafkaSecretInvalid',
    /^it is empty; fill it$/,
  ],
  ['nobody there', connection('ECONNREFUSED'), 'KafkaUnreachable', /spec\.kafka\.brokers answers: .*why\. Are they up/], // biome-ignore format: one line
]
for (const [what, error, reason, said] of cases) {
  test(`kafkaTrouble: ${what}, bare and wrapped by kafkajs`, () => {
    for (const one of [error, wrapped(error)]) {
      const trouble = kafkaTrouble(one)
      assert.equal(trouble.reason, reason)
      assert.match(trouble.message, said)
      const unavailable = kafkaUnavailable(one)
      assert.equal(unavailable.code, 'TN_KAFKA_UNAVAILABLE')
      assert.equal(unavailable.retriable, true)
    }
  })
}

test('kafkaTrouble: causes that go round in a ring end, and what is no error is told too', () => {
  const ring = new Error('round')
  ring.cause = ring
  assert.match(kafkaTrouble(ring).message, /round/)
  assert.match(kafkaTrouble('text').message, /text/)
})

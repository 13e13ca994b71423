import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { loadConfig } from './config.ts'
import { checkKafkaSettings, kafkaConfig } from './kafka-config.ts'

const settings = (more: Readonly<Record<string, string>>) =>
  loadConfig(Type.Object(kafkaConfig), { TRUENOW_KAFKA_BROKERS: 'kafka:9092', ...more })
const sasl = (mechanism: string) => ({
  TRUENOW_KAFKA_SASL_MECHANISM: mechanism,
  TRUENOW_KAFKA_SASL_DIRECTORY: '/sasl',
})
const TLS = { TRUENOW_KAFKA_TLS: 'true' }

const cases: ReadonlyArray<
  [what: string, given: Readonly<Record<string, string>>, said: RegExp | undefined]
> = [
  ['plain text, nobody', {}, undefined],
  ['TLS by public authorities', TLS, undefined],
  [
    'TLS with files',
    { ...TLS, TRUENOW_KAFKA_CA_FILE: '/ca', TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: '/own' },
    undefined,
  ],
  ['SCRAM in plain text: the password is not sent', sasl('SCRAM-SHA-512'), undefined],
  ['PLAIN within TLS', { ...TLS, ...sasl('PLAIN') }, undefined],
  [
    'PLAIN without',
    sasl('PLAIN'),
    /MECHANISM is PLAIN without TRUENOW_KAFKA_TLS.*set TRUENOW_KAFKA_TLS=true/,
  ],
  [
    'a mechanism without credentials',
    { TRUENOW_KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256' },
    /needs TRUENOW_KAFKA_SASL_DIRECTORY/,
  ],
  [
    'an authority for nothing',
    { TRUENOW_KAFKA_CA_FILE: '/ca' },
    /CA_FILE is of no use without TRUENOW_KAFKA_TLS=true/,
  ],
  [
    'all at once',
    { TRUENOW_KAFKA_SASL_MECHANISM: 'PLAIN', TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: '/own' },
    /PLAIN.*SASL_DIRECTORY.*CERTIFICATE_DIRECTORY/,
  ],
]
for (const [what, given, said] of cases) {
  test(`checkKafkaSettings: ${what}`, () => {
    const check = () => checkKafkaSettings(settings(given))
    if (said === undefined) assert.doesNotThrow(check)
    else assert.throws(check, { code: 'TN_CONFIG_INVALID', message: said })
  })
}

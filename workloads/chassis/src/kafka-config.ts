import { TrueNowError } from '@truenow/contracts/errors.ts'
import { type Static, Type } from 'typebox'

const KAFKA_SETTINGS = {
  TRUENOW_KAFKA_BROKERS: Type.String({ minLength: 1, description: 'Comma-separated host:port list.' }),
  TRUENOW_KAFKA_TLS: Type.Boolean({ default: false, description: 'true: brokers are spoken to over TLS.' }),
  TRUENOW_KAFKA_CA_FILE: Type.String({
    default: '',
    description:
      'PEM file of the authorities whose brokers are believed; default: the public ones that Node brings. Read anew for each connection.',
  }),
  TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: Type.String({
    default: '',
    description:
      'Directory of tls.crt and tls.key, shown to brokers that ask for a certificate. Read anew for each connection; default: none.',
  }),
  TRUENOW_KAFKA_SASL_MECHANISM: Type.Union(
    [
      Type.Literal('None'),
      Type.Literal('SCRAM-SHA-512'),
      Type.Literal('SCRAM-SHA-256'),
      Type.Literal('PLAIN'),
    ],
    { default: 'None', description: 'How user name and password are shown; PLAIN over TLS only.' },
  ),
  TRUENOW_KAFKA_SASL_DIRECTORY: Type.String({
    default: '',
    description:
      'Directory of the files username and password. Read anew for each connection; default: none.',
  }),
}

/** The settings of every role that uses Kafka; spread it into the role's own TypeBox object. */
export const kafkaConfig: typeof KAFKA_SETTINGS = KAFKA_SETTINGS
const Settings = Type.Object(KAFKA_SETTINGS)
export type KafkaSettings = Readonly<Static<typeof Settings>>

/** Settings that fit one by one and not together. Errors: TN_CONFIG_INVALID, with all of them at once. */
export function checkKafkaSettings(settings: KafkaSettings): void {
  const { TRUENOW_KAFKA_TLS: tls, TRUENOW_KAFKA_SASL_MECHANISM: mechanism } = settings
  const problems: string[] = []
  if (mechanism === 'PLAIN' && !tls)
    problems.push(
      'TRUENOW_KAFKA_SASL_MECHANISM is PLAIN without TRUENOW_KAFKA_TLS, so that anybody on the way could read the password; set TRUENOW_KAFKA_TLS=true or a SCRAM mechanism',
    )
  if (mechanism !== 'None' && settings.TRUENOW_KAFKA_SASL_DIRECTORY === '')
    problems.push(`TRUENOW_KAFKA_SASL_MECHANISM is ${mechanism} and needs TRUENOW_KAFKA_SASL_DIRECTORY`)
  for (const name of ['TRUENOW_KAFKA_CA_FILE', 'TRUENOW_KAFKA_CERTIFICATE_DIRECTORY'] as const)
    if (settings[name] !== '' && !tls)
      problems.push(`${name} is of no use without TRUENOW_KAFKA_TLS=true; set that or leave it out`)
  if (problems.length > 0)
    throw new TrueNowError('TN_CONFIG_INVALID', `Invalid configuration: ${problems.join('; ')}.`)
}

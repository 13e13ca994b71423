import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { authorityFile, type Mounts, mounted, secretFiles } from './role-environment.ts'
import type { EnvironmentEntry, RolePod } from './role-pod.ts'

/** What a pod that uses Kafka has for it: settings, and the Secrets of TLS and SASL as files. Nothing more where the spec asks for neither. */
export function kafkaParts({ spec }: TrueNowCluster): Mounts & Required<Pick<RolePod, 'environment'>> {
  const { brokers, sasl } = spec.kafka
  const tls = spec.kafka.tls?.enabled === true ? spec.kafka.tls : undefined
  const authority = authorityFile('kafka', tls?.caSecretRef)
  const certificate =
    tls?.certificateSecretRef &&
    secretFiles('kafka-certificate', tls.certificateSecretRef.name, [
      { key: 'tls.crt', path: 'tls.crt' },
      { key: 'tls.key', path: 'tls.key' },
    ])
  const credentials =
    sasl &&
    secretFiles('kafka-sasl', sasl.secretRef.name, [
      { key: sasl.secretRef.usernameKey ?? 'username', path: 'username' },
      { key: sasl.secretRef.passwordKey ?? 'password', path: 'password' },
    ])
  const settings: Readonly<Record<string, string | undefined>> = {
    TRUENOW_KAFKA_BROKERS: brokers.join(','),
    TRUENOW_KAFKA_TLS: tls && 'true',
    TRUENOW_KAFKA_CA_FILE: authority?.path,
    TRUENOW_KAFKA_CERTIFICATE_DIRECTORY: certificate?.directory,
    TRUENOW_KAFKA_SASL_MECHANISM: sasl && (sasl.mechanism ?? 'SCRAM-SHA-512'),
    TRUENOW_KAFKA_SASL_DIRECTORY: credentials?.directory,
  }
  return {
    environment: Object.entries(settings).flatMap(([name, value]): EnvironmentEntry[] =>
      value === undefined ? [] : [{ name, value }],
    ),
    ...mounted([authority, certificate, credentials]),
  }
}

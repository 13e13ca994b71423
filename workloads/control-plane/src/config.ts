import { commonConfig } from '@truenow/chassis/config.ts'
import { kafkaConfig } from '@truenow/chassis/kafka-config.ts'
import { type Static, Type } from 'typebox'

export const ControlPlaneConfig = Type.Object({
  ...commonConfig('control-plane'),
  ...kafkaConfig,
  TRUENOW_POSTGRES_URL_FILE: Type.String({
    minLength: 1,
    description: 'File with the PostgreSQL URL, mounted from a Secret and read again on change.',
  }),
  TRUENOW_POSTGRES_CA_FILE: Type.String({
    default: '',
    description:
      'PEM file of the authority of PostgreSQL, read for each connection: sslmode=verify-full whatever the URL says; default: as the URL says.',
  }),
})
export type ControlPlaneConfig = Readonly<Static<typeof ControlPlaneConfig>>

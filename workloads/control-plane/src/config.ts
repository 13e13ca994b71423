import { commonConfig } from '@truenow/chassis/config.ts'
import { type Static, Type } from 'typebox'

export const ControlPlaneConfig = Type.Object({
  ...commonConfig('control-plane'),
  TRUENOW_KAFKA_BROKERS: Type.String({ minLength: 1, description: 'Comma-separated host:port list.' }),
  TRUENOW_POSTGRES_URL_FILE: Type.String({
    minLength: 1,
    description: 'File with the PostgreSQL URL, mounted from a Secret and read again on change.',
  }),
})
export type ControlPlaneConfig = Readonly<Static<typeof ControlPlaneConfig>>

import { commonConfig } from '@truenow/chassis/config.ts'
import { kafkaConfig } from '@truenow/chassis/kafka-config.ts'
import { type Static, Type } from 'typebox'

/** Settings of the ingester; docs/configuration.md is written from this. */
export const IngesterConfig = Type.Object({
  ...commonConfig('ingester'),
  TRUENOW_CONTROL_PLANE: Type.String({ minLength: 1, description: 'host:port of the control plane (gRPC).' }),
  TRUENOW_CATALOG_FILE: Type.String({
    default: '',
    description: 'File that keeps the last catalog; empty = none.',
  }),
  ...kafkaConfig,
  TRUENOW_TAIL_BYTES_MAX: Type.Integer({
    minimum: 1 << 16,
    maximum: 1 << 30,
    default: 8 << 20,
    description:
      'Bytes of recent records that the ingester keeps for one slot; older ones are read from Kafka again.',
  }),
})
export type IngesterConfig = Readonly<Static<typeof IngesterConfig>>

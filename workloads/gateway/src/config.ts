import { commonConfig } from '@truenow/chassis/config.ts'
import { kafkaConfig } from '@truenow/chassis/kafka-config.ts'
import { BLOCK_ROWS_MAX } from '@truenow/contracts/wire/block-v1.ts'
import { type Static, Type } from 'typebox'

/** Settings of the gateway; docs/configuration.md is written from this. */
export const GatewayConfig = Type.Object({
  ...commonConfig('gateway'),
  TRUENOW_CONTROL_PLANE: Type.String({ minLength: 1, description: 'host:port of the control plane (gRPC).' }),
  TRUENOW_CATALOG_FILE: Type.String({
    default: '',
    description: 'File that keeps the last catalog; empty = none.',
  }),
  ...kafkaConfig,
  STREAM_INGESTER_BATCH_SIZE: Type.Integer({
    minimum: 1,
    maximum: BLOCK_ROWS_MAX,
    default: 4_096,
    description: 'Rows at which a slot’s open block is sealed and written.',
  }),
  TRUENOW_BODY_BYTES_MAX: Type.Integer({
    minimum: 1_024,
    maximum: 1 << 28,
    default: 8 << 20,
    description: 'Bytes of one request body; a larger one gets 413.',
  }),
  TRUENOW_BUFFER_BYTES_MAX: Type.Integer({
    minimum: 1 << 20,
    maximum: 2 ** 32,
    default: 64 << 20,
    description: 'Bytes of rows that wait for Kafka, all slots together; beyond it requests get 503.',
  }),
})
export type GatewayConfig = Readonly<Static<typeof GatewayConfig>>

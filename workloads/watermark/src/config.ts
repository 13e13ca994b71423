import { commonConfig } from '@truenow/chassis/config.ts'
import { type Static, Type } from 'typebox'

/** Settings of the watermark role; docs/configuration.md is written from this. */
export const WatermarkConfig = Type.Object({
  ...commonConfig('watermark'),
  TRUENOW_CONTROL_PLANE: Type.String({ minLength: 1, description: 'host:port of the control plane (gRPC).' }),
  TRUENOW_CATALOG_FILE: Type.String({
    default: '',
    description: 'File that keeps the last catalog; empty = none.',
  }),
  TRUENOW_INGESTERS: Type.String({
    minLength: 1,
    description: 'host:port of the ingesters; each name stands for all its addresses.',
  }),
  TRUENOW_WATERMARK_POLL_MS: Type.Integer({
    minimum: 50,
    maximum: 60_000,
    default: 500,
    description: 'How often every shard and ingester is asked, in ms.',
  }),
  TRUENOW_WATERMARK_UNKNOWN_MS: Type.Integer({
    minimum: 100,
    maximum: 600_000,
    default: 3_000,
    description: 'A peer that has not answered for this long is unknown, in ms.',
  }),
  TRUENOW_WATERMARK_STALLED_MS: Type.Integer({
    minimum: 100,
    maximum: 600_000,
    default: 10_000,
    description: 'A slot without progress for this long, though there should be some, is stalled, in ms.',
  }),
})
export type WatermarkConfig = Readonly<Static<typeof WatermarkConfig>>

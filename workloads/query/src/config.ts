import { commonConfig } from '@truenow/chassis/config.ts'
import { type Static, Type } from 'typebox'

/** Settings of the query role; docs/configuration.md is written from this. */
export const QueryConfig = Type.Object({
  ...commonConfig('query'),
  TRUENOW_CONTROL_PLANE: Type.String({ minLength: 1, description: 'host:port of the control plane (gRPC).' }),
  TRUENOW_CATALOG_FILE: Type.String({
    default: '',
    description: 'File that keeps the last catalog; empty = none.',
  }),
  TRUENOW_REDIS_URL_FILE: Type.String({
    default: '',
    description: 'File that holds the URL of Redis; empty = no result cache.',
  }),
  TRUENOW_REDIS_CA_FILE: Type.String({
    default: '',
    description:
      'PEM file of the authority of Redis, read again on change: TLS whatever the URL says; default: as the URL says.',
  }),
  QUERY_CACHE_TTL: Type.Integer({
    minimum: 0,
    maximum: 86_400,
    default: 60,
    description: 'Seconds that a result stays in the cache; 0 = no cache.',
  }),
  TRUENOW_QUERY_TIMEOUT_MS: Type.Integer({
    minimum: 10,
    maximum: 60_000,
    default: 5_000,
    description: 'Time for one statement that does not say timeout_ms itself.',
  }),
  TRUENOW_QUERY_HEDGE_MS: Type.Integer({
    minimum: 1,
    maximum: 60_000,
    default: 50,
    description: 'A shard that has not answered after this many ms is hedged with another replica.',
  }),
  TRUENOW_QUERY_HEDGES_MAX: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 16,
    description: 'Hedges that may run at once in this process.',
  }),
  TRUENOW_QUERY_RUNNING_MAX: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description: 'Statements that run at once.',
  }),
  TRUENOW_QUERY_WAITING_MAX: Type.Integer({
    minimum: 0,
    maximum: 100_000,
    default: 256,
    description: 'Statements that wait for their turn; more are answered 503.',
  }),
})
export type QueryConfig = Readonly<Static<typeof QueryConfig>>

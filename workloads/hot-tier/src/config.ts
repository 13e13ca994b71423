import { commonConfig } from '@truenow/chassis/config.ts'
import { type Static, Type } from 'typebox'

/** Settings of a hot-tier shard; docs/configuration.md is written from this. */
export const HotTierConfig = Type.Object({
  ...commonConfig('hot-tier'),
  TRUENOW_CONTROL_PLANE: Type.String({ minLength: 1, description: 'host:port of the control plane (gRPC).' }),
  TRUENOW_CATALOG_FILE: Type.String({
    default: '',
    description: 'File that keeps the last catalog; empty = none.',
  }),
  TRUENOW_INGESTERS: Type.String({
    minLength: 1,
    description: 'host:port of the ingesters; each name stands for all its addresses.',
  }),
  TRUENOW_SHARD: Type.Integer({
    minimum: -1,
    maximum: 255,
    default: -1,
    description: 'Ordinal of this shard; -1 = the number at the end of the pod’s name.',
  }),
  TRUENOW_SHARD_ADDRESS: Type.String({
    default: '',
    description:
      'host:port at which others reach this shard’s gRPC; empty = pod name + TRUENOW_SHARD_DOMAIN + port.',
  }),
  TRUENOW_SHARD_DOMAIN: Type.String({
    default: '',
    description:
      'Domain of the headless Service, such as demo-hot-tier.quickstart.svc; used when no address is given.',
  }),
  TRUENOW_DATA_DIRECTORY: Type.String({
    minLength: 1,
    description: 'Directory of the volume: identity and snapshots.',
  }),
  HOT_TIER_MEMORY_GB: Type.Number({
    exclusiveMinimum: 0,
    maximum: 64,
    default: 0.5,
    description:
      'GiB that the process of this shard may take; beyond what it needs for itself they are for rows, of which the oldest leave, or the slot stalls, as the table says.',
  }),
  TRUENOW_HOT_TIER_RESERVE_MB: Type.Integer({
    minimum: -1,
    maximum: 65_536,
    default: -1,
    description: 'MiB of HOT_TIER_MEMORY_GB that the process keeps for itself; -1 = what was measured.',
  }),
  TRUENOW_HOT_TIER_WORKERS: Type.Integer({
    minimum: 0,
    maximum: 64,
    default: 1,
    description: 'Threads that follow and scan slots of their own, a core each; 0 = all in the main thread.',
  }),
  TRUENOW_COPIES_MAX: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 2,
    description:
      'Copies of slots that this shard gives to others at once, and likewise takes; each worker takes its share, at least one.',
  }),
  TRUENOW_COPY_BYTES_PER_SECOND_MAX: Type.Integer({
    minimum: 65_536,
    maximum: 10_000_000_000,
    default: 100_000_000,
    description: 'Bytes a second that all copies given by this shard may take.',
  }),
  TRUENOW_GAP_WAIT_SECONDS: Type.Number({
    minimum: 0,
    maximum: 86_400,
    default: 60,
    description:
      'Seconds for which a replica whose next records the log has lost waits for a peer’s copy that holds them, before it goes on with a gap.',
  }),
  TRUENOW_READY_SECONDS_MAX: Type.Number({
    minimum: 0,
    maximum: 3_600,
    default: 60,
    description:
      'Seconds after which a shard that starts calls itself ready although it has not read yet what its logs held.',
  }),
  TRUENOW_SNAPSHOT_SECONDS: Type.Number({
    minimum: 0.1,
    maximum: 3_600,
    default: 10,
    description: 'Seconds between two snapshots of a slot that changed.',
  }),
})
export type HotTierConfig = Readonly<Static<typeof HotTierConfig>>

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { SlotStateSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type Health, judgeReplica } from './judge-replica.ts'
import type { IngesterView, ReplicaView } from './observations.ts'

const patience = { unknownMs: 3_000, laggingMs: 2_000, stalledMs: 10_000, activeMs: 5_000 }
const fresh: ReplicaView = {
  shard: 0,
  state: create(SlotStateSchema, { cursor: { offset: 9n, checksum: 0 }, endOffset: 10n }),
  silentMs: 0,
  cursorStillMs: 0,
  moved: true,
  streamSilentMs: 0,
  behindMs: 0,
  hashes: new Map(),
}
const reading: IngesterView = { address: 'a:9100', silentMs: 0, endOffset: 10n, fetchSilentMs: 0 }
const stalled = create(SlotStateSchema, { stalledReason: 'log rewritten' })

const cases: ReadonlyArray<
  [name: string, replica: Partial<ReplicaView>, ingesters: IngesterView[], health: Health, culprit: RegExp]
> = [
  ['rows just came', {}, [reading], 'ACTIVE', /^$/],
  ['rows came as long ago as active allows', { cursorStillMs: 5_000 }, [reading], 'ACTIVE', /^$/],
  ['rows came longer ago', { cursorStillMs: 5_001 }, [reading], 'IDLE', /^$/],
  ['rows were never seen to come', { moved: false }, [reading], 'IDLE', /^$/],
  ['a block is on its way', { behindMs: 2_000 }, [reading], 'ACTIVE', /^$/],
  ['behind and moving', { behindMs: 2_001 }, [reading], 'LAGGING', /shard 0 is at offset 9 of 9/],
  ['behind and hardly moving', { behindMs: 60_000, cursorStillMs: 10_000 }, [reading], 'LAGGING', /shard 0/],
  [
    'behind and not moving',
    { behindMs: 60_000, cursorStillMs: 10_001 },
    [reading],
    'STALLED',
    /shard 0 has stood/,
  ],
  ['stalled by its own word', { state: stalled }, [reading], 'STALLED', /log rewritten/],
  ['shard answered as late as allowed', { silentMs: 3_000 }, [reading], 'ACTIVE', /^$/],
  ['shard silent', { silentMs: 3_001 }, [reading], 'UNKNOWN', /shard 0 has not answered for 3 s/],
  [
    'shard silent and stalled: silence is what is known',
    { silentMs: 9_000, state: stalled },
    [],
    'UNKNOWN',
    /9 s/,
  ],
  [
    'stream silent, at the end: stuck, not idle',
    { streamSilentMs: 10_001 },
    [reading],
    'STALLED',
    /its ingester/,
  ],
  ['stream silent, no ingester known', { streamSilentMs: 10_001 }, [], 'STALLED', /no ingester answers/],
  [
    'stream silent, ingesters silent',
    { streamSilentMs: 10_001 },
    [{ ...reading, silentMs: 4_000 }],
    'STALLED',
    /no ingester answers/,
  ],
  [
    'stream silent, Kafka silent',
    { streamSilentMs: 10_001 },
    [{ ...reading, fetchSilentMs: 20_000 }],
    'STALLED',
    /ingester a:9100: no fetch/,
  ],
  [
    'stream silent, one of two readers stuck',
    { streamSilentMs: 10_001 },
    [
      { ...reading, fetchSilentMs: 20_000 },
      { ...reading, address: 'b:9100' },
    ],
    'STALLED',
    /its ingester/,
  ],
]
for (const [name, replica, ingesters, health, culprit] of cases) {
  test(`judgeReplica: ${name}`, () => {
    const found = judgeReplica({ ...fresh, ...replica }, ingesters, patience)
    assert.equal(found.health, health)
    assert.match(found.culprit, culprit)
  })
}

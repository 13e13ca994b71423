import type { TopicSettings } from '@truenow/chassis/kafka-port.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { BLOCK_BYTES_MAX } from '@truenow/contracts/wire/block-v1.ts'

/** Room for Kafka's record batch around a block: 61 bytes of header, varints, and the record's own headers. */
const RECORD_OVERHEAD_BYTES = 64 << 10
/** How much longer the log is kept than any replica may need it, so that a weekend's outage of one shard is no loss. */
const RETENTION_SLACK_MS = 24 * 3_600_000

type Replication = Readonly<{ replicationFactor: number; minInsyncReplicas: number }>
type Durations = Pick<TableDefinition, 'slots' | 'retentionUs' | 'dedupWindowUs' | 'maxFutureSkewUs'>

/** The topic that a table needs: the only log of its rows, so Kafka may lose or rewrite nothing that a replica may ask for. */
export function tableTopic(
  table: Durations,
  { replicationFactor, minInsyncReplicas }: Replication,
): TopicSettings {
  const neededUs = table.retentionUs + table.dedupWindowUs + table.maxFutureSkewUs
  return {
    partitions: table.slots,
    replicationFactor,
    config: {
      'cleanup.policy': 'delete',
      // Brokers stamp records: log time of a slot is no client's clock.
      'message.timestamp.type': 'LogAppendTime',
      'retention.ms': String(Math.ceil(neededUs / 1_000) + RETENTION_SLACK_MS),
      'retention.bytes': '-1',
      'unclean.leader.election.enable': 'false',
      'min.insync.replicas': String(minInsyncReplicas),
      'max.message.bytes': String(BLOCK_BYTES_MAX + RECORD_OVERHEAD_BYTES),
    },
  }
}

/** Of these settings more is as good; all others must be equal. -1 = without limit. */
const AT_LEAST = new Set(['retention.ms', 'max.message.bytes'])

/**
 * How the topic that is there differs from the one needed, in words for a condition: drift is told, never changed in
 * silence, because a topic may be governed by someone else's policy.
 */
export function topicDrift(needed: TopicSettings, found: TopicSettings): string[] {
  const drift: string[] = []
  if (found.partitions !== needed.partitions) {
    const unread = found.partitions > needed.partitions ? '; the others stay unread' : ''
    drift.push(
      `partitions are ${found.partitions}, must be ${needed.partitions} (the table's slots)${unread}`,
    )
  }
  if (found.replicationFactor !== needed.replicationFactor) {
    drift.push(`replication factor is ${found.replicationFactor}, must be ${needed.replicationFactor}`)
  }
  for (const [name, value] of Object.entries(needed.config)) {
    const is = found.config[name]
    if (is === value) continue
    if (!AT_LEAST.has(name)) drift.push(`${name} is ${is ?? 'not set'}, must be ${value}`)
    else if (is !== '-1' && !(Number(is) >= Number(value))) {
      drift.push(`${name} is ${is ?? 'not set'}, must be at least ${value}`)
    }
  }
  return drift
}

import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'

export type Cursor = Readonly<{ offset: number; checksum: number }>
export type CursorCheck =
  | Readonly<{ kind: 'go-on'; nextOffset: number; outcome: 'origin' | 'match' | 'gone' }>
  | Readonly<{ kind: 'data-loss'; firstOffset: number; resumeOffset: number }>
  | Readonly<{ kind: 'log-rewritten'; foundChecksum: number | undefined; endOffset: number }>

/**
 * Whether a stream may go on after `cursor`: the record there must still be the one that was applied. A record that
 * retention took cannot be compared; then only a gap behind it is a loss. Who has nothing yet has lost what lay before the
 * log's start: whether that matters, a peer's copy or the retention of the table says, not the ingester.
 */
export async function checkCursor(
  kafka: KafkaPort,
  place: Readonly<{ topic: string; slot: number }>,
  cursor: Cursor,
): Promise<CursorCheck> {
  const { topic, slot } = place
  const { startOffset, endOffset } = await kafka.offsetRange(topic, slot)
  const { offset, checksum } = cursor
  if (offset < 0 && startOffset === 0) return { kind: 'go-on', nextOffset: 0, outcome: 'origin' }
  if (offset >= endOffset) return { kind: 'log-rewritten', foundChecksum: undefined, endOffset }
  if (offset + 1 < startOffset)
    return { kind: 'data-loss', firstOffset: offset + 1, resumeOffset: startOffset }
  if (offset < startOffset) return { kind: 'go-on', nextOffset: startOffset, outcome: 'gone' }
  const record = await kafka.readRecord(topic, slot, offset)
  const foundChecksum = record === undefined ? undefined : crc32c(record.value)
  if (foundChecksum === checksum) return { kind: 'go-on', nextOffset: offset + 1, outcome: 'match' }
  return { kind: 'log-rewritten', foundChecksum, endOffset }
}

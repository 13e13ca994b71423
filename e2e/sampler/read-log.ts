import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaClient } from '@truenow/chassis/kafka-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import type { LogRow } from './judge.ts'

/** Where the columns that the sampler asks about stand in a block of the quickstart's tables. */
export type ColumnPlaces = Readonly<{
  id: number
  time: number
  region: number
  revenue: number
  items: number
}>

/** Reads a whole topic, slot by slot, and decodes every block: the truth that answers are judged by. */
export async function readLog(
  brokers: readonly string[],
  topic: string,
  places: ColumnPlaces,
): Promise<Map<number, LogRow[]>> {
  const log = createLog({ role: 'sampler', level: 'WARN', destination: process.stderr })
  const kafka = createKafkaClient({
    brokers: [...brokers],
    clientId: 'truenow-sampler',
    log,
    clock: systemClock,
  })
  try {
    const settings = await kafka.describeTopic(topic)
    if (settings === undefined) throw new Error(`There is no topic ${topic}.`)
    const logs = new Map<number, LogRow[]>()
    for (let slot = 0; slot < settings.partitions; slot++) {
      const rows: LogRow[] = []
      logs.set(slot, rows)
      const { startOffset, endOffset } = await kafka.offsetRange(topic, slot)
      if (startOffset === endOffset) continue
      const done = new AbortController()
      await kafka.followPartition(
        { topic, partition: slot, nextOffset: startOffset },
        (records, { nextOffset }) => {
          for (const { offset, value } of records) rows.push(...rowsOf(offset, value, places))
          if (nextOffset >= endOffset) done.abort()
        },
        AbortSignal.any([done.signal, AbortSignal.timeout(60_000)]),
      )
      if (!done.signal.aborted)
        throw new Error(`${topic}/${slot} was not read to its end ${endOffset} within a minute.`)
    }
    return logs
  } finally {
    await kafka.close()
  }
}

function rowsOf(offset: number, value: Buffer, places: ColumnPlaces): LogRow[] {
  const { rowCount, columns } = decodeBlock(value)
  const at = (place: number, row: number) => valueAt(columns[place] as Column, row)
  return Array.from({ length: rowCount }, (_, row) => ({
    offset,
    id: String(at(places.id, row)),
    timeUs: Number(at(places.time, row)),
    region: String(at(places.region, row)),
    items: Number(at(places.items, row)),
    revenue: Number(at(places.revenue, row)),
  }))
}

import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaClient } from '@truenow/chassis/kafka-client.ts'
import { createLog } from '@truenow/chassis/log.ts'

/** Prints, as one JSON object, how many partitions each topic has that is named after the broker: 0 = there is none. */
const [broker = '', ...topics] = process.argv.slice(2)
const log = createLog({ role: 'describe-topics', level: 'WARN', destination: process.stderr })
const kafka = createKafkaClient({ brokers: [broker], clientId: 'truenow-e2e', log, clock: systemClock })
const partitions: Record<string, number> = {}
for (const topic of topics) partitions[topic] = (await kafka.describeTopic(topic))?.partitions ?? 0
await kafka.close()
console.log(JSON.stringify(partitions))

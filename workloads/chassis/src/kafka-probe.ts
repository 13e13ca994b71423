import type { Admin, Kafka } from 'kafkajs'
import type { KafkaAccess } from './kafka-access.ts'
import { type KafkaTrouble, kafkaTrouble } from './kafka-trouble.ts'
import type { Log } from './log.ts'

export type KafkaProbe = Readonly<{
  reachable: () => Promise<boolean>
  /** What the last look found; undefined: all well, or not looked yet. */
  trouble: () => KafkaTrouble | undefined
  close: () => Promise<void>
}>

/**
 * Asks now and then whether brokers answer, over a connection of its own that is made anew when the secrets change: so a wrong
 * password is told within one look, while the connections that were made before it still work. One look at a time.
 */
export function createKafkaProbe(kafka: Kafka, access: KafkaAccess, log: Log): KafkaProbe {
  let used: Readonly<{ admin: Admin; fingerprint: string }> | undefined
  let trouble: KafkaTrouble | undefined
  let looking: Promise<boolean> | undefined
  const drop = () => {
    // Not waited for: what is half open may take its time, and nothing depends on it.
    void used?.admin.disconnect().catch((err: unknown) => log.debug({ err }, 'a look at Kafka did not end'))
    used = undefined
  }
  const ask = async () => {
    const fingerprint = access.fingerprint()
    if (used !== undefined && used.fingerprint !== fingerprint) drop()
    if (used === undefined) {
      used = { admin: kafka.admin({ retry: { retries: 4 } }), fingerprint }
      await used.admin.connect()
    }
    await used.admin.describeCluster()
  }
  const look = async () => {
    try {
      await ask()
      if (trouble !== undefined) log.info({}, 'Kafka answers again')
      trouble = undefined
    } catch (error) {
      drop()
      const found = kafkaTrouble(error)
      if (found.reason !== trouble?.reason) log.warn({ reason: found.reason }, found.message)
      trouble = found
    }
    return trouble === undefined
  }
  return {
    reachable: () => {
      looking ??= look().finally(() => {
        looking = undefined
      })
      return looking
    },
    trouble: () => trouble,
    close: async () => {
      await looking
      await used?.admin.disconnect()
    },
  }
}

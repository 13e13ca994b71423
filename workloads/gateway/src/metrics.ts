import { startAtZero } from '@truenow/chassis/start-at-zero.ts'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>

/** Every metric of the gateway. Conservation, per process lifetime: received = rejected + produced, once nothing is in flight. */
export const createGatewayMetrics = (registry: Registry) => ({
  received: new Counter({
    name: 'truenow_gateway_received_events_total',
    help: 'Events of requests that were answered, whatever became of them.',
    registers: [registry],
  }),
  produced: new Counter({
    name: 'truenow_gateway_produced_events_total',
    help: 'Events that Kafka acknowledged.',
    registers: [registry],
  }),
  rejected: startAtZero(
    new Counter({
      name: 'truenow_gateway_rejected_events_total',
      help: 'Events that were not acknowledged, by why.',
      labelNames: ['reason'] as const, // reason: invalid | overloaded | unavailable
      registers: [registry],
    }),
    'reason',
    ['invalid', 'overloaded', 'unavailable'],
  ),
  unknownAppends: new Counter({
    name: 'truenow_gateway_unknown_appends_total',
    help: 'Blocks whose append failed or got no answer: they may stand in the log all the same.',
    registers: [registry],
  }),
  kafkaUp: new Gauge({
    name: 'truenow_gateway_kafka_up',
    help: '1 while a broker of Kafka answers; asked every 2 s.',
    registers: [registry],
  }),
  bufferedBytes: new Gauge({
    name: 'truenow_gateway_buffered_bytes',
    help: 'Bytes of rows that wait for Kafka.',
    registers: [registry],
  }),
  blockRows: new Histogram({
    name: 'truenow_gateway_block_rows',
    help: 'Rows of the blocks written.',
    buckets: [1, 5, 20, 100, 500, 1_000, 2_000, 5_000, 20_000, 65_536],
    registers: [registry],
  }),
  produceSeconds: new Histogram({
    name: 'truenow_gateway_produce_seconds',
    help: 'Time from handing a block to Kafka until it acknowledged.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 10],
    registers: [registry],
  }),
})

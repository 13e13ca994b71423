import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import {
  type BlockStream,
  type SubscribeEvent,
  SubscribeEventSchema,
} from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'

type Init = NonNullable<MessageInitShape<typeof SubscribeEventSchema>['event']>
/** The stream of one slot. */
type Stream = { readonly waiting: SubscribeEvent[]; wake: (() => void) | undefined; offset: number }

/** An ingester in this process, without gRPC: whatever is told to a slot comes out of its stream, in order. */
export class IdleIngester {
  private readonly streams = new Map<string, Stream>()
  /** Events that were told, and that were taken. */
  told = 0
  taken = 0

  get subscribed(): number {
    return this.streams.size
  }

  /** Tells a block with the next offset of its slot. */
  tellBlock(table: string, slot: number, value: Uint8Array, appendTimeUs: number): void {
    const stream = this.streamOf(table, slot)
    const offset = stream.offset++
    const place = {
      previousOffset: BigInt(offset - 1),
      offset: BigInt(offset),
      appendTimeUs: BigInt(appendTimeUs),
    }
    this.tell(stream, { case: 'block', value: { ...place, checksum: offset, value } })
  }

  /** Says that the slot stands at the end of its log. */
  tellEnd(table: string, slot: number): void {
    const stream = this.streamOf(table, slot)
    const value = { endOffset: BigInt(stream.offset), position: BigInt(stream.offset - 1), atUs: 1n }
    this.tell(stream, { case: 'heartbeat', value })
  }

  readonly client: Client<typeof BlockStream> = {
    subscribe: (request) => this.follow(this.streamOf(request.table?.name ?? '', request.slot ?? 0)),
    getProgress: () => Promise.reject(new Error('not asked here')),
    close: () => {},
  }

  private tell(stream: Stream, event: Init): void {
    stream.waiting.push(create(SubscribeEventSchema, { event }))
    this.told += 1
    stream.wake?.()
    stream.wake = undefined
  }

  private async *follow(stream: Stream): AsyncGenerator<SubscribeEvent> {
    for (;;) {
      for (let event = stream.waiting.shift(); event !== undefined; event = stream.waiting.shift()) {
        yield event
        this.taken += 1
      }
      await new Promise<void>((resolve) => {
        stream.wake = resolve
      })
    }
  }

  private streamOf(table: string, slot: number): Stream {
    const name = `${table}/${slot}`
    let stream = this.streams.get(name)
    if (stream === undefined) {
      stream = { waiting: [], wake: undefined, offset: 0 }
      this.streams.set(name, stream)
    }
    return stream
  }
}

/** Smaller values may lie in a buffer with others, as in Node's pool, and are not worth the call. */
const BYTES_MIN = 1 << 16
/** What a message may have in its buffer beside its one large value. */
const OTHER_BYTES_MAX = 1 << 10

/**
 * Gives the memory of a large value back at once, where it has a buffer of its own; whoever looks at it afterwards finds
 * no bytes. Left to the collector, what outlives two young collections, as blocks do that wait for their turn, is found by
 * a full one only, and counts towards when that is due: a worker's heap was marked anew every fifteen blocks or so. And the columns of
 * a bucket on their way into a snapshot are tens of MiB beside the rows, each time.
 */
export function letGoOfBytes({ buffer, byteLength }: ArrayBufferView): void {
  const isAlone = byteLength >= BYTES_MIN && byteLength + OTHER_BYTES_MAX >= buffer.byteLength
  if (isAlone && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

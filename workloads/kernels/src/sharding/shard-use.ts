export type ShardLoad = Readonly<{
  shard: number
  /** What all its slots take, in cores; and how many threads it has for them. */
  busyShare: number
  workers: number
  bytes: number
  /** 0: nobody says. */
  bytesMax: number
  /** Whether it may be given more. */
  takes: boolean
}>
/** What one replica takes of its shard. */
export type Taken = Readonly<{ busyShare: number; bytes: number }>

/** How busy a shard is, 1 = wholly: its threads or its memory, whichever is nearer to its end. Pure. */
export function shardUse({
  busyShare,
  workers,
  bytes,
  bytesMax,
}: Omit<ShardLoad, 'shard' | 'takes'>): number {
  return Math.max(busyShare / Math.max(1, workers), bytesMax === 0 ? 0 : bytes / bytesMax)
}

/** Takes a replica from the load of one shard and adds it to that of another; those that are not known stay so. */
export function moveLoad(
  loads: Map<number, ShardLoad>,
  { from, to }: Readonly<{ from: number; to: number }>,
  taken: Taken,
): void {
  const [giver, receiver] = [loads.get(from), loads.get(to)]
  if (giver !== undefined) loads.set(from, shiftLoad(giver, taken, -1))
  if (receiver !== undefined) loads.set(to, shiftLoad(receiver, taken, 1))
}

/** The load of a shard with one replica more (1) or fewer (-1). Pure. */
export function shiftLoad(load: ShardLoad, { busyShare, bytes }: Taken, by: 1 | -1): ShardLoad {
  return {
    ...load,
    busyShare: Math.max(0, load.busyShare + by * busyShare),
    bytes: Math.max(0, load.bytes + by * bytes),
  }
}

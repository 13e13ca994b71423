/** A snapshot is written beside the one that it replaces, so rows take their bytes twice for a while. */
const SNAPSHOTS_AT_ONCE = 2

/** Whether a volume lacks room for what comes: how many bytes it needs. Undefined: it has room, or nobody told its size. Pure. */
export function volumeNeed(
  residentBytes: number,
  volume: Readonly<{ volumeBytesFree: bigint; volumeBytesMax: bigint }>,
): number | undefined {
  const needed = residentBytes * SNAPSHOTS_AT_ONCE
  return volume.volumeBytesMax > 0n && needed > Number(volume.volumeBytesFree) ? needed : undefined
}

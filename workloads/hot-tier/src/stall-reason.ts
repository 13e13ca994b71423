/** Why a replica may stand still; `Other` is a reason that nobody gave a name yet. Labels of a metric, and of alerts. */
export const STALL_REASONS = [
  'MemoryFull',
  'ArenaFull',
  'LogRewritten',
  'TableVersionUnknown',
  'IdRunUnreadable',
  'PeerCopy',
  'Other',
] as const
export type StallReason = (typeof STALL_REASONS)[number]

/** The reason of a text such as `MemoryFull: the shard's …`; undefined for the empty one of a replica that moves. */
export function stallReason(text: string): StallReason | undefined {
  if (text === '') return undefined
  return STALL_REASONS.find((reason) => text.startsWith(`${reason}:`)) ?? 'Other'
}

import type { ReplicaView } from './observations.ts'

/**
 * Two replicas of one slot at one offset, folded from one origin, must hold the same state (P8). Looks at every offset
 * whose hash two of them told; answers the newest disagreement in words, or an empty text.
 */
export function findMismatch(replicas: readonly ReplicaView[]): string {
  let found = ''
  let foundAt = -1n
  for (const [at, left] of replicas.entries()) {
    for (const right of replicas.slice(at + 1)) {
      if (left.state.originOffset !== right.state.originOffset) continue
      for (const [offset, hash] of left.hashes) {
        const other = right.hashes.get(offset)
        if (other === undefined || other === hash || offset <= foundAt) continue
        found = `shards ${left.shard} and ${right.shard} differ at offset ${offset}: ${hash.slice(0, 16)} and ${other.slice(0, 16)}`
        foundAt = offset
      }
    }
  }
  return found
}

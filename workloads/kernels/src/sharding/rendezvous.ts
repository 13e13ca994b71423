import { xxHash32 } from '@truenow/contracts/partition-hash.ts'

/**
 * Orders nodes by their weight for a key, best first: every process that knows the same nodes makes the same choice, and
 * a node that leaves moves only its own keys. Cost: O(nodes log nodes).
 * Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996, p. 4 (highest random weight).
 */
export function rendezvous(key: string, nodes: readonly string[]): string[] {
  const weighed = nodes.map((node) => ({ node, weight: xxHash32(Buffer.from(`${key}\0${node}`, 'utf8')) }))
  weighed.sort((a, b) => b.weight - a.weight || (a.node < b.node ? -1 : 1))
  return weighed.map(({ node }) => node)
}

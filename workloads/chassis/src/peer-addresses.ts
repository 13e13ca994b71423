import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { RoleContext } from './running-role.ts'

export type PeerAddresses = Readonly<{
  /** `host:port` of every peer, sorted; the last good answer while DNS is away. */
  current: () => readonly string[]
  onChange: (listener: (addresses: readonly string[]) => void) => () => void
  close: () => void
}>
/** All addresses of a host. Rejects where it has none, or DNS is away: the two look alike. */
export type ResolveHost = (host: string) => Promise<readonly string[]>

const RESOLVE_PERIOD_MS = 1_000
/** Peers beyond this many are ignored: nothing we run has so many. */
const PEERS_MAX = 1_024

/**
 * Resolves `host:port,host:port` to all addresses of every host, again each second: behind a headless Service these are
 * its ready pods. Literal addresses (IPv6 in brackets) are there at once. Errors: TN_CONFIG_INVALID for a spec that is
 * not host:port.
 */
export function createPeerAddresses(
  spec: string,
  options: Readonly<{ context: RoleContext; resolveHost?: ResolveHost }>,
): PeerAddresses {
  const { context, resolveHost = lookUp } = options
  const peers = spec
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(parsePeer)
  const named = peers.filter(({ host }) => isIP(host) === 0)
  const listeners = new Set<(addresses: readonly string[]) => void>()
  const known = new Map(
    peers.map(({ host, port }) => [`${host}:${port}`, isIP(host) === 0 ? [] : [join(host, port)]]),
  )
  let addresses = merged(known)
  let closed = false
  let resolving = false
  const resolveOne = async ({ host, port }: Peer) => {
    try {
      const found = await resolveHost(host)
      known.set(
        `${host}:${port}`,
        found.map((address) => join(address, port)),
      )
    } catch (err) {
      // A headless Service without a ready pod has no name: the old addresses are worth a try, and cost nothing.
      context.log.debug({ err, host }, 'the name of a peer does not resolve')
    }
  }
  const resolveAll = async () => {
    if (resolving || closed) return
    resolving = true
    await Promise.all(named.map(resolveOne))
    resolving = false
    const next = merged(known)
    if (closed || next.join() === addresses.join()) return
    addresses = next
    for (const listener of [...listeners]) {
      try {
        listener(addresses)
      } catch (err) {
        context.log.error({ err }, 'a listener failed on new peer addresses') // The others still hear of it.
      }
    }
  }
  const timer = named.length === 0 ? undefined : setInterval(() => void resolveAll(), RESOLVE_PERIOD_MS)
  void resolveAll()
  return {
    current: () => addresses,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => {
      closed = true
      clearInterval(timer)
    },
  }
}

type Peer = Readonly<{ host: string; port: number }>

/** By the system's resolver, so that /etc/hosts counts. A pod with both families is one peer: its IPv4 address. */
async function lookUp(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true })
  const family = found.some((address) => address.family === 4) ? 4 : 6
  return found.filter((address) => address.family === family).map(({ address }) => address)
}

const merged = (known: ReadonlyMap<string, readonly string[]>): readonly string[] =>
  [...new Set([...known.values()].flat())].toSorted().slice(0, PEERS_MAX)

const join = (address: string, port: number) =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`

function parsePeer(part: string): Peer {
  const [, bracketed, plain, port = ''] = /^\s*(?:\[([^\]\s]+)\]|([^:\s[\]]+)):(\d{1,5})\s*$/.exec(part) ?? []
  const host = bracketed ?? plain
  if (
    host === undefined ||
    (bracketed !== undefined && !isIPv6(bracketed)) ||
    Number(port) < 1 ||
    Number(port) > 65_535
  ) {
    throw new TrueNowError(
      'TN_CONFIG_INVALID',
      `'${part.trim()}' is not host:port; name peers like demo-ingester:9100 or [fd00::1]:9100.`,
    )
  }
  return { host, port: Number(port) }
}

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { RoleContext } from './running-role.ts'

export type PeerAddresses = Readonly<{
  /** `host:port` of every peer, sorted; the last good answer while DNS is away. */
  current: () => readonly string[]
  onChange: (listener: (addresses: readonly string[]) => void) => () => void
  close: () => void
}>

const RESOLVE_PERIOD_MS = 1_000
/** Peers beyond this many are ignored: nothing we run has so many. */
const PEERS_MAX = 1_024

/**
 * Resolves `host:port,host:port` to all addresses of every host, again each second: behind a headless Service these are
 * its ready pods. Literal addresses pass as they are. Errors: TN_CONFIG_INVALID for a spec that is not host:port.
 */
export function createPeerAddresses(
  spec: string,
  options: Readonly<{ context: RoleContext }>,
): PeerAddresses {
  const peers = spec
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(parsePeer)
  const listeners = new Set<(addresses: readonly string[]) => void>()
  const known = new Map<string, readonly string[]>()
  let addresses: readonly string[] = []
  let closed = false
  const resolveAll = async () => {
    await Promise.all(
      peers.map(async ({ host, port }) => {
        try {
          const found = isIP(host) === 0 ? await lookup(host, { all: true, family: 4 }) : [{ address: host }]
          known.set(
            `${host}:${port}`,
            found.map(({ address }) => `${address}:${port}`),
          )
        } catch (err) {
          const { code } = err as NodeJS.ErrnoException
          // A headless Service without a ready pod has no name: the old addresses are worth a try, and cost nothing.
          options.context.log.debug({ host, code }, 'a peer name does not resolve')
        }
      }),
    )
    const next = [...new Set([...known.values()].flat())].toSorted().slice(0, PEERS_MAX)
    if (next.join() === addresses.join() || closed) return
    addresses = next
    for (const listener of listeners) listener(addresses)
  }
  let resolving = false
  const timer = setInterval(tick, RESOLVE_PERIOD_MS)
  function tick() {
    if (resolving || closed) return
    resolving = true
    void resolveAll().finally(() => {
      resolving = false
    })
  }
  tick()
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

function parsePeer(part: string): Readonly<{ host: string; port: number }> {
  const [, host = '', port = ''] = /^\s*([^:\s]+):(\d+)\s*$/.exec(part) ?? []
  if (host === '' || Number(port) > 65_535) {
    throw new TrueNowError(
      'TN_CONFIG_INVALID',
      `'${part}' is not host:port; name peers like demo-ingester:9100.`,
    )
  }
  return { host, port: Number(port) }
}

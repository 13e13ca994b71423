import { X509Certificate } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js'
import type { Role } from '@truenow/contracts/ports.ts'
import { identityOf } from './certificate-identity.ts'
import type { TlsMaterial } from './tls-credentials.ts'

/**
 * How a client connects: in plain text without certificates or in phase `accept`, else with ours, to a peer of our own cluster
 * whose role is `expected` (undefined: any). Peers are found by address, so it is the role that is checked and not a name.
 */
export function channelCredentials(
  material: TlsMaterial | undefined,
  expected: Role | undefined,
): Readonly<{ credentials: ChannelCredentials; options: ChannelOptions }> {
  if (material === undefined || material.phase === 'accept')
    return { credentials: credentials.createInsecure(), options: {} }
  const { namespace, cluster } = material.identity
  const checkServerIdentity = (_host: string, { raw }: PeerCertificate): Error | undefined => {
    const peer = identityOf(new X509Certificate(raw))
    const isOurs = peer?.namespace === namespace && peer.cluster === cluster
    if (isOurs && (expected ?? peer.role) === peer.role) return undefined
    return new Error(`The peer is no ${expected ?? 'role'} of cluster ${namespace}/${cluster}.`)
  }
  return {
    credentials: credentials.createFromSecureContext(material.context, { checkServerIdentity }),
    // Node warns of an address where a name belongs, and no server of ours looks at it.
    options: { 'grpc.ssl_target_name_override': `${expected ?? 'role'}.truenow.io` },
  }
}

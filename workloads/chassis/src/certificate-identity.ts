import type { X509Certificate } from 'node:crypto'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'

/** Whose a certificate is: one role of one cluster. Every pod of a role shows the same. */
export type CertificateIdentity = Readonly<{ namespace: string; cluster: string; role: Role }>

const AUTHORITY = 'spiffe://truenow.io/'

/** The identity as a certificate bears it: its one URI among the alternative names, in the form that SPIFFE gave such names. */
export const identityUri = ({ namespace, cluster, role }: CertificateIdentity): string =>
  `${AUTHORITY}${namespace}/${cluster}/${role}`

/** Undefined: no role of a cluster. Names are compared whole, so that nothing that merely contains one passes for it. */
export function identityOf(certificate: X509Certificate): CertificateIdentity | undefined {
  const uris = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith(`URI:${AUTHORITY}`))
    .map((name) => name.slice(`URI:${AUTHORITY}`.length))
  const [namespace, cluster, role, ...more] = uris[0]?.split('/') ?? []
  if (uris.length !== 1 || more.length > 0 || !namespace || !cluster || !isRole(role)) return undefined
  return { namespace, cluster, role }
}

const isRole = (role: string | undefined): role is Role =>
  role !== undefined && Object.hasOwn(ROLE_PORTS, role)

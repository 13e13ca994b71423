import { type CertificateIdentity, identityOf } from '@truenow/chassis/certificate-identity.ts'
import { issueCertificate } from '@truenow/chassis/issue-certificate.ts'
import { certificatesOf, type TlsFiles, tlsMaterial } from '@truenow/chassis/tls-credentials.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import { type Authorities, fromSecretData, leafValidity, lifeOf, nameOf, type SecretData, toSecretData, trustOf } from './authorities.ts' // biome-ignore format: one line

/** Names under which the pods of a role are reached: their Service, and where it is headless each of them. */
export const dnsNamesOf = ({ namespace, cluster, role }: CertificateIdentity): string[] => [
  `${cluster}-${role}.${namespace}.svc`,
  `*.${cluster}-${role}.${namespace}.svc`,
]

export const encodeLeaf = ({ certificate, key, trust, phase }: TlsFiles): SecretData =>
  toSecretData({ 'tls.crt': certificate, 'tls.key': key, 'ca.crt': trust, phase })

export function decodeLeaf(data: SecretData): TlsFiles {
  const {
    'tls.crt': certificate = '',
    'tls.key': key = '',
    'ca.crt': trust = '',
    phase = '',
  } = fromSecretData(data)
  return { certificate, key, trust, phase }
}

/**
 * The files of a role as they shall be: the certificate that stands, or a new one where that is due (missing, broken, another's,
 * of another authority, two thirds over, or from before `leavesFromUs`). `renewed` says why, in words. Undefined files: a new one is
 * due and the authority's key is lost.
 */
export function leafFiles(
  standing: TlsFiles | undefined,
  authorities: Authorities,
  identity: CertificateIdentity,
  nowUs: number,
): Readonly<{ files?: TlsFiles; renewed?: string }> {
  const { current, phase } = authorities
  const trust = trustOf(authorities)
  const renewed = whyDue(standing, authorities, identity, nowUs)
  const kept = standing === undefined ? undefined : { ...standing, trust, phase }
  if (renewed === undefined && kept !== undefined) return { files: kept }
  if (current.keyPem === '') return kept !== undefined && fits(kept) ? { files: kept } : {}
  const validity = leafValidity(current, nowUs)
  const { certificatePem, keyPem } = issueCertificate(current, {
    identity,
    dnsNames: dnsNamesOf(identity),
    validity,
  })
  return {
    files: { certificate: certificatePem, key: keyPem, trust, phase },
    renewed: renewed ?? 'it is missing',
  }
}

function whyDue(
  standing: TlsFiles | undefined,
  { current, leavesFromUs }: Authorities,
  identity: CertificateIdentity,
  nowUs: number,
): string | undefined {
  if (standing === undefined) return 'it is missing'
  const found = read(standing, current.certificatePem)
  if (found === undefined) return 'it cannot be used'
  const { certificate, fromUs, renewUs, authority } = found
  const names = dnsNamesOf(identity).map((name) => `DNS:${name}`)
  const same = names.every((name) => certificate.subjectAltName?.split(', ').includes(name) === true)
  if (!same || !sameIdentity(identityOf(certificate), identity)) return 'it names another role'
  if (authority !== nameOf(current.certificatePem)) return 'its authority is another one'
  if (fromUs < leavesFromUs) return 'it was asked for'
  return nowUs >= renewUs ? 'two thirds of its time are over' : undefined
}

/** Judged with the authority of now beside those it was written with, as after a change of that it would be. */
function read(standing: TlsFiles, current: string) {
  try {
    const { certificate, authority } = tlsMaterial({
      ...standing,
      trust: current + standing.trust,
      phase: 'use',
    })
    const [leaf] = certificatesOf(standing.certificate)
    return leaf === undefined ? undefined : { certificate, authority, ...lifeOf(standing.certificate) }
  } catch {
    return undefined
  }
}

function fits(files: TlsFiles): boolean {
  try {
    tlsMaterial(files)
    return true
  } catch {
    return false
  }
}

const sameIdentity = (left: CertificateIdentity | undefined, right: CertificateIdentity): boolean =>
  left?.namespace === right.namespace && left.cluster === right.cluster && left.role === right.role

/** What remains of lost authorities in any leaf: they are trusted on, and another one is made. */
export function authoritiesOfLeaf(
  files: TlsFiles,
): Pick<Authorities, 'current' | 'previous' | 'phase'> | undefined {
  try {
    const { authority, phase } = tlsMaterial(files)
    const trusted = certificatesOf(files.trust).map(String)
    const current = trusted.find((one) => nameOf(one) === authority)
    const previous = trusted.filter((one) => one !== current).join('')
    if (current === undefined) return undefined
    return {
      current: { certificatePem: current, keyPem: '' },
      ...(previous === '' ? {} : { previous }),
      phase,
    }
  } catch {
    return undefined
  }
}

/** Roles that have a certificate: those with pods, and the operator, which calls two of them. */
export const LEAF_ROLES: readonly Role[] = ['control-plane', 'gateway', 'ingester', 'hot-tier', 'query', 'watermark', 'operator'] // biome-ignore format: one line

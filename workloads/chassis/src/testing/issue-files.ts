import type { Role } from '@truenow/contracts/ports.ts'
import { type Issued, issueAuthority, issueCertificate, type Validity } from '../issue-certificate.ts'
import type { TlsFiles, TlsPhase } from '../tls-credentials.ts'

const HOUR_US = 3_600_000_000
/** Around now, by the machine's clock: what OpenSSL judges by. */
export const AN_HOUR: Validity = {
  fromUs: Date.now() * 1_000 - HOUR_US,
  untilUs: Date.now() * 1_000 + HOUR_US,
}
export const makeAuthority = (): Issued => issueAuthority({ ...AN_HOUR, untilUs: AN_HOUR.untilUs + HOUR_US })

/** Files of a role as the operator would make them. */
export function issueFiles(
  authority: Issued,
  role: Role,
  more: Readonly<{ phase?: TlsPhase; cluster?: string; trust?: readonly Issued[]; validity?: Validity }> = {},
): TlsFiles {
  const { phase = 'require', cluster = 'demo', trust = [authority], validity = AN_HOUR } = more
  const identity = { namespace: 'apps', cluster, role }
  const leaf = issueCertificate(authority, { identity, dnsNames: [`${cluster}-${role}.apps.svc`], validity })
  return {
    certificate: leaf.certificatePem,
    key: leaf.keyPem,
    trust: trust.map(({ certificatePem }) => certificatePem).join(''),
    phase,
  }
}

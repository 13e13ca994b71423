import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { type CertificateIdentity, identityOf } from './certificate-identity.ts'

/**
 * How far the roles of a cluster have come on the way from plain text to certificates, and back. All take one step only when
 * all have taken the one before, so that at any time whoever calls is understood.
 *
 *   accept    calls are made in plain text; calls with certificates are taken as well
 *   use       calls are made with certificates; plain text is still taken
 *   require   calls are made with certificates; plain text is refused
 */
export const TLS_PHASES = ['accept', 'use', 'require'] as const
export type TlsPhase = (typeof TLS_PHASES)[number]

/** The files of a role, as in its Secret: PEM, `trust` being every authority that is believed. */
export type TlsFiles = Readonly<{ certificate: string; key: string; trust: string; phase: string }>

/** What a process shows to its peers and what it believes of them: one state of its files, checked. */
export type TlsMaterial = Readonly<{
  phase: TlsPhase
  identity: CertificateIdentity
  certificate: X509Certificate
  /** Authorities, by SHA-256 of the whole certificate. */
  trusted: readonly string[]
  /** The one of them that issued our certificate. */
  authority: string
  /** End of our certificate, µs since 1970. */
  untilUs: number
  /** For both ends of a connection; TLS 1.3 and nothing older. */
  context: SecureContext
  files: TlsFiles
}>

/** Certificates that may change at any time: connections made from then on use the newer ones. */
export type TlsCredentials = Readonly<{
  /** Undefined: none yet, which is plain text. */
  current: () => TlsMaterial | undefined
  onChange: (listener: (material: TlsMaterial) => void) => () => void
}>

/** Checks that the files belong together. Errors: TN_CONFIG_INVALID, naming the file; never what is in it. */
export function tlsMaterial(files: TlsFiles): TlsMaterial {
  const [certificate] = parsed('tls.crt', () => certificatesOf(files.certificate))
  const authorities = parsed('ca.crt', () => certificatesOf(files.trust))
  const key = parsed('tls.key', () => createPrivateKey(files.key))
  if (certificate === undefined) throw wrong('tls.crt', 'holds no certificate')
  if (!certificate.checkPrivateKey(key)) throw wrong('tls.key', 'is not the key of tls.crt')
  const issuer = authorities.find((one) => certificate.checkIssued(one) && certificate.verify(one.publicKey))
  if (issuer === undefined) throw wrong('ca.crt', 'does not hold the authority that issued tls.crt')
  const identity = identityOf(certificate)
  if (identity === undefined) throw wrong('tls.crt', 'names no role of a cluster')
  const phase = TLS_PHASES.find((one) => one === files.phase.trim())
  if (phase === undefined) throw wrong('phase', `is none of ${TLS_PHASES.join(', ')}`)
  return {
    phase,
    identity,
    certificate,
    trusted: authorities.map(fingerprintOf),
    authority: fingerprintOf(issuer),
    untilUs: Date.parse(certificate.validTo) * 1_000,
    context: createSecureContext(secureContextOptions(files)),
    files,
  }
}

/** By what a server or a client is set up; TLS 1.3 and nothing older. */
export const secureContextOptions = ({ certificate, key, trust }: TlsFiles) =>
  ({ cert: certificate, key, ca: trust, minVersion: 'TLSv1.3' }) as const

/** Name of a certificate: SHA-256 over all of it, hexadecimal. */
export const fingerprintOf = ({ fingerprint256 }: X509Certificate): string =>
  fingerprint256.replaceAll(':', '').toLowerCase()

/** Every certificate of a PEM text. Errors: what OpenSSL throws. */
export const certificatesOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  )

/** Credentials held in memory, empty until they are set. Files equal to the last ones are no change. Errors: those of tlsMaterial. */
export function createTlsCredentials(): TlsCredentials & Readonly<{ set: (files: TlsFiles) => void }> {
  const listeners = new Set<(material: TlsMaterial) => void>()
  let material: TlsMaterial | undefined
  return {
    current: () => material,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    set: (files) => {
      if (material !== undefined && sameFiles(material.files, files)) return
      material = tlsMaterial(files)
      for (const listener of [...listeners]) listener(material)
    },
  }
}

const sameFiles = (left: TlsFiles, right: TlsFiles): boolean =>
  left.certificate === right.certificate &&
  left.key === right.key &&
  left.trust === right.trust &&
  left.phase === right.phase

function parsed<Value>(file: string, parse: () => Value): Value {
  try {
    return parse()
  } catch {
    throw wrong(file, 'cannot be read as PEM') // Without the cause: it may quote the file.
  }
}

const wrong = (file: string, what: string) =>
  new TrueNowError(
    'TN_CONFIG_INVALID',
    `The certificates do not fit: ${file} ${what}. The operator issues all of them; delete the Secret and it is made anew.`,
    { details: { file } },
  )

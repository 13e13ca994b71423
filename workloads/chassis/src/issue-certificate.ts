import assert from 'node:assert/strict'
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto' // biome-ignore format: one line
import { type CertificateIdentity, identityUri } from './certificate-identity.ts'

/** A certificate with its private key, both PEM; the key is PKCS #8. */
export type Issued = Readonly<{ certificatePem: string; keyPem: string }>
/** From and until when a certificate holds, µs since 1970; certificates know whole seconds. */
export type Validity = Readonly<{ fromUs: number; untilUs: number }>

/**
 * A new authority of one cluster, signed by itself, that may sign leaves and no other authority. Its name is drawn, so that two
 * authorities of one cluster are told apart by whoever trusts both.
 * Source: RFC 5280, the few fields that this profile has; keys are P-256, signatures ECDSA with SHA-256.
 */
export function issueAuthority(validity: Validity): Issued {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = commonName(`TrueNow authority ${randomBytes(8).toString('hex')}`)
  return issued(pair, {
    validity,
    subject: name,
    issuer: { name, key: pair.privateKey, keyId: keyIdOf(pair.publicKey) },
    extensions: [
      extension(OID.basicConstraints, true, sequence(TRUE, integer(Buffer.of(0)))),
      extension(OID.keyUsage, true, bits(0b0000_0110, 1)), // keyCertSign, cRLSign
    ],
  })
}

/** The certificate of one role: for calls it makes and calls it takes, by `identityUri` and by its DNS names. Errors: as `issueAuthority`'s key. */
export function issueCertificate(
  authority: Issued,
  options: Readonly<{ identity: CertificateIdentity; dnsNames: readonly string[]; validity: Validity }>,
): Issued {
  const { identity, dnsNames, validity } = options
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = new X509Certificate(authority.certificatePem)
  const alternatives = [
    ...dnsNames.map((name) => tagged(0x82, Buffer.from(name, 'ascii'))),
    tagged(0x86, Buffer.from(identityUri(identity), 'ascii')),
  ]
  return issued(pair, {
    validity,
    subject: commonName(identity.role),
    issuer: {
      name: subjectOf(signer),
      key: createPrivateKey(authority.keyPem),
      keyId: keyIdOf(signer.publicKey),
    },
    extensions: [
      extension(OID.basicConstraints, true, sequence()),
      extension(OID.keyUsage, true, bits(0b1000_0000, 7)), // digitalSignature
      extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth), oid(OID.clientAuth))),
      extension(OID.subjectAltName, false, sequence(...alternatives)),
    ],
  })
}

const OID = {
  ecdsaWithSha256: [1, 2, 840, 10_045, 4, 3, 2],
  commonName: [2, 5, 4, 3],
  subjectKeyId: [2, 5, 29, 14],
  keyUsage: [2, 5, 29, 15],
  subjectAltName: [2, 5, 29, 17],
  basicConstraints: [2, 5, 29, 19],
  authorityKeyId: [2, 5, 29, 35],
  extendedKeyUsage: [2, 5, 29, 37],
  serverAuth: [1, 3, 6, 1, 5, 5, 7, 3, 1],
  clientAuth: [1, 3, 6, 1, 5, 5, 7, 3, 2],
} as const

type Wanted = Readonly<{
  validity: Validity
  subject: Buffer
  issuer: Readonly<{ name: Buffer; key: KeyObject; keyId: Buffer }>
  extensions: readonly Buffer[]
}>

/*
 * Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }
 * TBSCertificate ::= SEQUENCE { [0] version 2 (= v3), serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
 *                               [3] extensions }
 */
function issued(pair: Readonly<{ publicKey: KeyObject; privateKey: KeyObject }>, wanted: Wanted): Issued {
  const { validity, subject, issuer, extensions } = wanted
  const algorithm = sequence(oid(OID.ecdsaWithSha256))
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40 // Positive, and as long as any other.
  const body = sequence(
    tagged(0xa0, integer(Buffer.of(2))),
    integer(serial),
    algorithm,
    issuer.name,
    sequence(time(validity.fromUs), time(validity.untilUs)),
    subject,
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(
      0xa3,
      sequence(
        ...extensions,
        extension(OID.subjectKeyId, false, tagged(0x04, keyIdOf(pair.publicKey))),
        extension(OID.authorityKeyId, false, sequence(tagged(0x80, issuer.keyId))),
      ),
    ),
  )
  const der = sequence(body, algorithm, bitString(sign('sha256', body, issuer.key)))
  return {
    certificatePem: new X509Certificate(der).toString(),
    keyPem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** Distinguished Encoding Rules (ITU-T X.690): tag, length, content. */
function tagged(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const length = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff] // biome-ignore format: one line
  assert(body.length < 0x1_0000, 'a certificate of ours is far below 64 KiB')
  return Buffer.concat([Buffer.of(tag, ...length), body])
}

const sequence = (...content: readonly Buffer[]) => tagged(0x30, ...content)
const integer = (content: Buffer) => tagged(0x02, content)
const bitString = (content: Buffer) => tagged(0x03, Buffer.of(0), content)
const bits = (octet: number, unused: number) => tagged(0x03, Buffer.of(unused, octet))
const TRUE = tagged(0x01, Buffer.of(0xff))
const commonName = (text: string) =>
  sequence(tagged(0x31, sequence(oid(OID.commonName), tagged(0x0c, Buffer.from(text, 'utf8')))))
const extension = (id: readonly number[], critical: boolean, value: Buffer) =>
  sequence(oid(id), ...(critical ? [TRUE] : []), tagged(0x04, value))

/** The first two arcs share an octet, the others are base 128 with a continuation bit. */
function oid([first = 0, second = 0, ...arcs]: readonly number[]): Buffer {
  const base128 = (arc: number): number[] =>
    arc < 128 ? [arc] : [...base128(arc >> 7).map((octet) => octet | 0x80), arc & 0x7f]
  return tagged(0x06, Buffer.of(first * 40 + second, ...arcs.flatMap(base128)))
}

/** UTCTime until 2049, GeneralizedTime from then on, as RFC 5280 4.1.2.5 wants it. */
function time(us: number): Buffer {
  const digits = new Date(Math.floor(us / 1_000)).toISOString().replaceAll(/\D/g, '').slice(0, 14)
  const isShort = Number(digits.slice(0, 4)) < 2_050
  return tagged(isShort ? 0x17 : 0x18, Buffer.from(`${isShort ? digits.slice(2) : digits}Z`, 'ascii'))
}

/** SHA-1 as a name and not as a proof: RFC 5280 4.2.1.2, method 1, over the bits of the key. An uncompressed P-256 point ends the SPKI. */
const keyIdOf = (key: KeyObject): Buffer =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }).subarray(-65))
    .digest()

/** Our authorities have nothing but a common name. */
function subjectOf(certificate: X509Certificate): Buffer {
  const name = /^CN=([^\n]+)$/.exec(certificate.subject)?.[1]
  assert(name !== undefined, 'the authority is one of ours')
  return commonName(name)
}

import { type Issued, issueAuthority } from '@truenow/chassis/issue-certificate.ts'
import { certificatesOf, fingerprintOf, TLS_PHASES, type TlsPhase } from '@truenow/chassis/tls-credentials.ts'

/**
 * What a cluster's roles believe, and how far they have come: all of it lies in the Secret `<cluster>-ca`, so that whichever
 * operator leads goes on where the last one was.
 */
export type Authorities = Readonly<{
  /** Issues every certificate. Its key is empty where only leaves were left of it: then it may be trusted and no more. */
  current: Issued
  /** Made and told to all, and not used before all trust it. */
  next?: Issued
  /** Certificate of the one before, or several after a loss: trusted until nobody shows a leaf of them. */
  previous?: string
  phase: TlsPhase
  /** Leaves that begin earlier are renewed, µs since 1970. */
  leavesFromUs: number
  /** What was last asked for by annotation, and is done or under way. */
  asked: Asked
}>
/** Values of the annotations by which people ask for newer ones: any value that was not there before asks once. */
export type Asked = Readonly<{ leaves: string; authority: string }>

/** Base64 by key, as in a Secret. */
export type SecretData = Readonly<Record<string, string>>

const DAY_US = 86_400_000_000
const AUTHORITY_US = 3 * 365 * DAY_US
/** For clocks that run behind ours. */
const SKEW_US = 5 * 60_000_000

export const makeAuthority = (nowUs: number): Issued =>
  issueAuthority({ fromUs: nowUs - SKEW_US, untilUs: nowUs + AUTHORITY_US })

/** Begin and end of a leaf that is issued now, µs: 90 days, and never longer than its authority. */
export const leafValidity = (authority: Issued, nowUs: number) => ({
  fromUs: nowUs - SKEW_US,
  untilUs: Math.min(nowUs + 90 * DAY_US, lifeOf(authority.certificatePem).untilUs),
})

/** Leaves of before now are those that begin earlier; certificates know whole seconds. */
export const leafRenewalFrom = (nowUs: number): number => Math.floor((nowUs - SKEW_US) / 1e6) * 1e6

/** From and until when the first certificate of a text holds, µs; renewed once two thirds of that are over. */
export function lifeOf(
  certificatePem: string,
): Readonly<{ fromUs: number; untilUs: number; renewUs: number }> {
  const [certificate] = certificatesOf(certificatePem)
  const [fromUs, untilUs] = [certificate?.validFrom, certificate?.validTo].map(
    (text) => Date.parse(text ?? '') * 1_000,
  ) as [number, number]
  return { fromUs, untilUs, renewUs: fromUs + ((untilUs - fromUs) * 2) / 3 }
}

/** Every certificate that is to be trusted, PEM, the issuing one first. */
export const trustOf = ({ current, next, previous = '' }: Authorities): string =>
  current.certificatePem + (next?.certificatePem ?? '') + previous

/** Name of the one certificate in this text: SHA-256 over all of it. */
export const nameOf = (certificatePem: string): string => namesOf(certificatePem).join()

/** Of every certificate in this text. */
export const namesOf = (pem: string): string[] => certificatesOf(pem).map(fingerprintOf)

const KEYS = {
  certificate: 'ca.crt',
  key: 'ca.key',
  nextCertificate: 'next.crt',
  nextKey: 'next.key',
  previous: 'previous.crt',
  phase: 'phase',
  leavesFrom: 'leaves-from-us',
  askedLeaves: 'asked-leaves',
  askedAuthority: 'asked-authority',
} as const

export function encodeAuthorities(authorities: Authorities): SecretData {
  const { current, next, previous, phase, leavesFromUs, asked } = authorities
  const texts = {
    [KEYS.certificate]: current.certificatePem,
    [KEYS.key]: current.keyPem,
    ...(next === undefined
      ? {}
      : { [KEYS.nextCertificate]: next.certificatePem, [KEYS.nextKey]: next.keyPem }),
    ...(previous === undefined ? {} : { [KEYS.previous]: previous }),
    [KEYS.phase]: phase,
    [KEYS.leavesFrom]: String(leavesFromUs),
    [KEYS.askedLeaves]: asked.leaves,
    [KEYS.askedAuthority]: asked.authority,
  }
  return toSecretData(texts)
}

/** Undefined: this is not what we wrote. */
export function decodeAuthorities(data: SecretData): Authorities | undefined {
  const texts = fromSecretData(data)
  const issued = (certificate: string, key: string): Issued | undefined => {
    const [certificatePem, keyPem = ''] = [texts[certificate], texts[key]]
    return certificatePem === undefined || !isOneCertificate(certificatePem)
      ? undefined
      : { certificatePem, keyPem }
  }
  const current = issued(KEYS.certificate, KEYS.key)
  const next = issued(KEYS.nextCertificate, KEYS.nextKey)
  const previous = texts[KEYS.previous]
  const phase = TLS_PHASES.find((one) => one === texts[KEYS.phase])
  const leavesFromUs = Number(texts[KEYS.leavesFrom] ?? Number.NaN)
  if (current === undefined || phase === undefined || !Number.isSafeInteger(leavesFromUs)) return undefined
  return {
    current,
    ...(next === undefined ? {} : { next }),
    ...(previous === undefined ? {} : { previous }),
    phase,
    leavesFromUs,
    asked: { leaves: texts[KEYS.askedLeaves] ?? '', authority: texts[KEYS.askedAuthority] ?? '' },
  }
}

function isOneCertificate(pem: string): boolean {
  try {
    return certificatesOf(pem).length === 1
  } catch {
    return false
  }
}

export const toSecretData = (texts: Readonly<Record<string, string>>): SecretData =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text, 'utf8').toString('base64')])) // biome-ignore format: one line

export const fromSecretData = (data: SecretData): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString('utf8')])) // biome-ignore format: one line

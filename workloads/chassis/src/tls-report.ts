import { Gauge, type Registry } from 'prom-client'
import type { Clock } from './clock.ts'
import type { TlsCredentials, TlsPhase } from './tls-credentials.ts'

/** What a process says of its certificates at `GET /tls`: all of it public. By this the operator knows when all have taken a step. */
export type TlsReport = Readonly<{
  phase: TlsPhase
  /** SHA-256 of the authority that issued the certificate in use, and of all that are trusted. */
  authority: string
  trusted: readonly string[]
  /** Of the certificate in use. */
  serial: string
  untilUs: number
  /** How long all of this has been so, s. */
  heldSeconds: number
}>

/** Follows `tls` and answers the report of now; undefined while there are no certificates. */
export function createTlsReport(tls: TlsCredentials, clock: Clock): () => TlsReport | undefined {
  let sinceMs = clock.monotonicMs()
  tls.onChange(() => {
    sinceMs = clock.monotonicMs()
  })
  return () => {
    const material = tls.current()
    if (material === undefined) return undefined
    const { phase, authority, trusted, untilUs, certificate } = material
    const heldSeconds = Math.floor((clock.monotonicMs() - sinceMs) / 1_000)
    return { phase, authority, trusted, serial: certificate.serialNumber, untilUs, heldSeconds }
  }
}

/** Read when it is scraped: a value that was set at the start would never fall. */
export function createCertificateMetrics(registry: Registry, tls: TlsCredentials, clock: Clock): void {
  new Gauge({
    name: 'truenow_certificate_expiry_seconds',
    help: 'Seconds until the certificate that this process shows to its peers ends; only with certificates.',
    registers: [registry],
    collect() {
      const untilUs = tls.current()?.untilUs
      this.set(untilUs === undefined ? Number.NaN : Math.round((untilUs - clock.nowUs()) / 1e6))
    },
  })
}

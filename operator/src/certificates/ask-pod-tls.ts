import type { TlsReport } from '@truenow/chassis/tls-report.ts'
import type { PodAnswer } from './unsettled-pods.ts'

/** Asks one pod, by `host:port` of its HTTP server. */
export type AskPodTls = (address: string) => Promise<PodAnswer>

const ANSWER_MS_MAX = 2_000
const ANSWER_BYTES_MAX = 16_384

/** `GET /tls`. Every failure is no answer: 404 alone says that there are no certificates. */
export const askPodTls: AskPodTls = async (address) => {
  try {
    const response = await fetch(`http://${address}/tls`, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      redirect: 'error',
    })
    const text = await response.text()
    if (response.status === 404) return 'plain'
    return response.status === 200 && text.length <= ANSWER_BYTES_MAX ? parsed(text) : undefined
  } catch {
    return undefined
  }
}

function parsed(text: string): TlsReport | undefined {
  const report = JSON.parse(text) as Partial<TlsReport> | null
  const { phase, authority, trusted, heldSeconds } = report ?? {}
  const whole =
    typeof phase === 'string' &&
    typeof authority === 'string' &&
    Array.isArray(trusted) &&
    typeof heldSeconds === 'number'
  return whole ? (report as TlsReport) : undefined
}

export const ATTEMPTS_MAX = 10
export const ATTEMPT_MS_MAX = 3_000
const PAUSE_MS = 1_000
/** A `/health` answer takes some 200 bytes; whatever stands behind the address may send more. */
const BODY_BYTES_MAX = 64 << 10

export type HealthVerdict = Readonly<{
  healthy: boolean
  /** One line for people: what answered, or why it counts as not healthy. */
  line: string
}>
export type HealthAsker = Readonly<{
  fetch: (url: string, init: RequestInit) => Promise<Response>
  pause: (ms: number) => Promise<unknown>
  /** Time for one attempt, the body included. */
  attemptMs: number
}>

/**
 * Asks a `/health` address until it says `healthy`, ATTEMPTS_MAX times at most with a second between: a pod that was just
 * started is given time, one that stays `degraded` is not taken for healthy. Errors: none; all of them are a verdict.
 */
export async function checkHealth(url: string, asker: HealthAsker): Promise<HealthVerdict> {
  let problem = ''
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    if (attempt > 1) await asker.pause(PAUSE_MS)
    try {
      const report = await ask(url, asker)
      if (report.status === 'healthy') return { healthy: true, line: `${url}: ${report.service} is healthy.` }
      problem = `it says ${[report.status, ...report.reasons].join('; ')}`
    } catch (error) {
      problem = causeOf(error)
    }
  }
  return { healthy: false, line: `${url} is not healthy after ${ATTEMPTS_MAX} attempts: ${problem}.` }
}

type Report = Readonly<{ status: string; service: string; reasons: readonly string[] }>

async function ask(url: string, { fetch, attemptMs }: HealthAsker): Promise<Report> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(attemptMs) })
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    if (text.length > BODY_BYTES_MAX) throw new Error(`its answer is longer than ${BODY_BYTES_MAX} bytes`)
  }
  const report = parsed(text)
  if (typeof report?.status !== 'string')
    throw new Error(`it answered ${response.status} without a health report`)
  const { status, service, reasons } = report
  return {
    status,
    service: typeof service === 'string' ? service : 'it',
    reasons: Array.isArray(reasons) ? reasons.map(String) : [],
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** fetch says only `fetch failed`; what failed stands in its cause. Line breaks of others must not make two lines. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error
  const deepest = cause instanceof Error && cause.message !== '' ? cause.message : message
  return deepest.replaceAll(/\s+/g, ' ')
}

import type { Clock } from './clock.ts'

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'
export type HealthReport = Readonly<{
  status: HealthStatus
  service: string
  /** Seconds since start, whole. */
  uptime: number
  version: string
  reasons?: readonly string[]
}>

/** What `/health`, `/livez`, `/readyz` and grpc.health.v1 answer from. */
export type Health = Readonly<{
  /** Says how one part is; the worst part is the whole. */
  setCheck: (name: string, check: Readonly<{ status: HealthStatus; reason?: string }>) => void
  /** Opens or closes readiness; the reason is shown while it is closed. */
  setReady: (ready: boolean, reason?: string) => void
  ready: () => boolean
  /** Why it is not ready; undefined when it is. */
  notReadyReason: () => string | undefined
  status: () => HealthReport
  onChange: (listener: () => void) => () => void
}>

/** Starts closed: not ready with the reason `starting`. */
export function createHealth(options: Readonly<{ role: string; version: string; clock: Clock }>): Health {
  const startedMs = options.clock.monotonicMs()
  const checks = new Map<string, Readonly<{ status: HealthStatus; reason?: string }>>()
  const listeners = new Set<() => void>()
  let ready = false
  let notReady = 'starting'
  const changed = () => {
    for (const listener of listeners) listener()
  }
  return {
    setCheck: (name, check) => {
      checks.set(name, check)
      changed()
    },
    setReady: (next, reason = 'not ready') => {
      if (ready === next && (next || notReady === reason)) return
      ready = next
      notReady = reason
      changed()
    },
    ready: () => ready,
    notReadyReason: () => (ready ? undefined : notReady),
    status: () => {
      const bad = [...checks].filter(([, { status }]) => status !== 'healthy')
      const worst = bad.some(([, { status }]) => status === 'unhealthy') ? 'unhealthy' : 'degraded'
      const reasons = bad.map(([name, { status, reason }]) => `${name}: ${reason ?? status}`)
      return {
        status: bad.length === 0 ? 'healthy' : worst,
        service: options.role,
        uptime: Math.floor((options.clock.monotonicMs() - startedMs) / 1_000),
        version: options.version,
        ...(bad.length === 0 ? {} : { reasons }),
      }
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

import type { Registry } from 'prom-client'
import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { TlsCredentials } from './tls-credentials.ts'

/** What every role gets from whoever starts it (main.ts, the dev command, a test). */
export type RoleContext = Readonly<{
  log: Log
  clock: Clock
  /** One registry a role, so that two can live in one process. */
  registry: Registry
  /** `pod` name: hostname in Kubernetes, a made-up one elsewhere. */
  pod: string
  version: string
  /** Of the role itself, for the calls it makes and takes. Absent: all is plain text. */
  tls?: TlsCredentials
  /** ms that it goes on answering once it was asked to end (leave-politely.ts). @default 0 */
  drainMs?: number
}>

/** A started role. `close` drains and ends it; calling it twice is harmless. Addresses are `host:port`. */
export type RunningRole = Readonly<{
  httpAddress: string
  grpcAddress: string
  close: () => Promise<void>
}>

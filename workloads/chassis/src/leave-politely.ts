import { setTimeout as delay } from 'node:timers/promises'
import type { Health } from './health.ts'
import type { HttpServer } from './http-server.ts'
import type { RoleContext } from './running-role.ts'

/**
 * The first thing to do when a role is asked to end: it says that it is not ready, tells whoever keeps a connection open to
 * open another, and goes on answering for `context.drainMs`. Until Services, proxies and clients have all heard of it some
 * of them still come here, and a listener that is closed by then refuses them.
 */
export async function leavePolitely(
  { drainMs = 0 }: Pick<RoleContext, 'drainMs'>,
  { health, http }: Readonly<{ health: Pick<Health, 'setReady'>; http: Pick<HttpServer, 'leave'> }>,
): Promise<void> {
  health.setReady(false, 'shutting down')
  http.leave()
  if (drainMs > 0) await delay(drainMs)
}

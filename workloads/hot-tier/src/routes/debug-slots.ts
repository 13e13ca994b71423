import type { HttpApp } from '@truenow/chassis/http-server.ts'
import type { ShardRouter } from '../shard-router.ts'

/** GET /debug/slots: every replica as its worker sees it; for people, not for programs. */
export function debugSlots(app: HttpApp, router: ShardRouter): void {
  app.get('/debug/slots', async () => ({
    resident_bytes: router.residentBytes,
    slots: await router.describe(),
  }))
}

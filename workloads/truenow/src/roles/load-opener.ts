import type { Role } from '@truenow/contracts/ports.ts'
import type { OpenRole } from '../role-opener.ts'

/** Imported only when asked for: one role's process loads one role's code. The operator has other outside systems. */
const OPENERS: Record<Role, () => Promise<{ openRole: OpenRole }>> = {
  gateway: () => import('./open-gateway.ts'),
  ingester: () => import('./open-ingester.ts'),
  'hot-tier': () => import('./open-hot-tier.ts'),
  query: () => import('./open-query.ts'),
  watermark: () => import('./open-watermark.ts'),
  'control-plane': () => import('./open-control-plane.ts'),
  operator: () => import('./open-operator.ts'),
}

export async function loadOpener(role: Role): Promise<OpenRole> {
  return (await OPENERS[role]()).openRole
}

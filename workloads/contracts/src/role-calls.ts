import type { Role } from './ports.ts'

/**
 * Who may call whom by gRPC inside a cluster: the network policies let nothing else through, and with certificates a role
 * takes no call from another one either.
 */
export const ROLE_CALLS: ReadonlyArray<readonly [from: Role, to: Role]> = [
  ['gateway', 'control-plane'],
  ['ingester', 'control-plane'],
  ['hot-tier', 'control-plane'],
  ['query', 'control-plane'],
  ['watermark', 'control-plane'],
  ['hot-tier', 'ingester'],
  ['watermark', 'ingester'],
  ['query', 'hot-tier'],
  ['watermark', 'hot-tier'],
  ['hot-tier', 'hot-tier'],
  ['operator', 'control-plane'],
  ['operator', 'watermark'],
]

/** Which role serves a service, by the service's full name: whom a client expects behind an address. */
export const ROLE_OF_SERVICE: Readonly<Record<string, Role>> = {
  'truenow.v1.BlockStream': 'ingester',
  'truenow.v1.Catalog': 'control-plane',
  'truenow.v1.Shard': 'hot-tier',
  'truenow.v1.Watermark': 'watermark',
}

/** Roles whose gRPC port is called by people's programs, which have no certificate of the cluster, and by no role. */
export const OPEN_TO_CLIENTS: readonly Role[] = ['gateway', 'query', 'operator']

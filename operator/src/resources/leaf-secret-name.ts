import type { Role } from '@truenow/contracts/ports.ts'

/** The Secret with the certificate of a role; its pods mount it. */
export const leafSecretName = (cluster: string, role: Role): string => `${cluster}-${role}-tls`

import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { OperatorContext } from '../operator-context.ts'
import { readLeaf } from './cluster-secrets.ts'
import { mountsCertificates } from './mounts-certificates.ts'

/** For a cluster that ends, whose steps are no longer run: with what the operator calls it, where this process has not read it yet. */
export async function loadOwnCertificate(context: OperatorContext, cluster: TrueNowCluster): Promise<void> {
  const credentials = context.operands.credentials(cluster.metadata)
  if (credentials.current() !== undefined || !mountsCertificates(context, cluster)) return
  const files = await readLeaf(context.kubernetes, cluster, 'operator')
  if (files !== undefined) credentials.set(files)
}

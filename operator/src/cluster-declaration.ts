import type { MessageInitShape } from '@bufbuild/protobuf'
import type { PutClusterRequestSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'

/** What the control plane is told that the cluster shall be. Pure. */
export function clusterDeclaration({
  metadata,
  spec,
}: TrueNowCluster): MessageInitShape<typeof PutClusterRequestSchema> {
  const { hotTier, kafka } = spec
  return {
    uid: metadata.uid,
    generation: BigInt(metadata.generation),
    shards: hotTier.shards,
    replicationFactor: hotTier.replicationFactor,
    topics: {
      replicationFactor: kafka.topics?.replicationFactor ?? 3,
      minInsyncReplicas: kafka.topics?.minInsyncReplicas ?? 2,
    },
  }
}

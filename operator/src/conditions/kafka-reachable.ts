import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Judgement } from './judgement.ts'

/** Does Kafka answer the control plane, with the certificates and credentials of the spec. Unknown placement is Unknown. Pure. */
export function kafkaReachable(placement: GetPlacementResponse | undefined): Judgement {
  const type = 'KafkaReachable'
  if (placement === undefined) {
    const message = 'The control plane has not told in this pass whether Kafka answers it.'
    return { type, status: 'Unknown', reason: 'PlacementUnknown', message }
  }
  const { kafkaTrouble: trouble } = placement
  if (trouble === undefined)
    return { type, status: 'True', reason: 'Answering', message: 'Kafka answers the control plane.' }
  return { type, status: 'False', reason: trouble.reason, message: trouble.message }
}

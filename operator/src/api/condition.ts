import { Type } from 'typebox'

/** A condition as `kubectl wait --for=condition=…` reads it. */
export type Condition = Readonly<{
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  observedGeneration: number
  lastTransitionTime: string
}>

export const ConditionSchema = Type.Object(
  {
    type: Type.String({ description: 'What is judged, such as Ready or SpecValid.' }),
    status: Type.String({
      enum: ['True', 'False', 'Unknown'],
      description: 'True, False, or Unknown when nobody could tell.',
    }),
    reason: Type.String({ description: 'One word for machines, such as ShardsNotReady.' }),
    message: Type.String({ description: 'What is going on and what to do next, for people.' }),
    observedGeneration: Type.Integer({ description: 'Generation of the spec that was judged.' }),
    lastTransitionTime: Type.String({ format: 'date-time', description: 'When the status last changed.' }),
  },
  { description: 'One answer of the operator about this object.' },
)

/** What of an object's metadata we read; the API server always gives name, namespace and uid. */
export type ObjectMeta = Readonly<{
  name: string
  namespace: string
  uid: string
  generation: number
  resourceVersion?: string
  creationTimestamp?: string
  deletionTimestamp?: string
  finalizers?: readonly string[]
  ownerReferences?: ReadonlyArray<Readonly<{ uid: string }>>
  labels?: Readonly<Record<string, string>>
  annotations?: Readonly<Record<string, string>>
}>

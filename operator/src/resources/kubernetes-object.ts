/** Any object as the API server takes it: plain JSON. */
export type KubernetesObject = Readonly<{
  apiVersion: string
  kind: string
  metadata: Readonly<{
    name: string
    namespace: string
    labels?: Readonly<Record<string, string>>
    annotations?: Readonly<Record<string, string>>
    ownerReferences?: ReadonlyArray<Readonly<Record<string, unknown>>>
  }>
}> &
  Readonly<Record<string, unknown>>

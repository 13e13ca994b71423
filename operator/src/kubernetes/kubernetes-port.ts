import type { ObjectMeta } from '../api/object-meta.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'

/** A kind as the API server's paths know it. What is cluster-wide has the empty namespace; it is only read. */
export type Resource = Readonly<{ apiVersion: string; kind: string; plural: string }>
export type ObjectKey = Readonly<{ namespace: string; name: string }>
export type Stored = Readonly<{ apiVersion: string; kind: string; metadata: ObjectMeta }>
export type Page<Kind> = Readonly<{ items: readonly Kind[]; resourceVersion: string; continueToken: string }>

/** What the API server answered when it refused: `status` is the HTTP status, 0 when there was no answer. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError'
  readonly status: number
  /** The Status object's own reason, such as Conflict or Invalid. */
  readonly reason: string
  /** Seconds of Retry-After, where the server gave it. */
  readonly retryAfterS: number | undefined
  constructor(
    message: string,
    refused: Readonly<{ status: number; reason: string; retryAfterS?: number | undefined }>,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.status = refused.status
    this.reason = refused.reason
    this.retryAfterS = refused.retryAfterS
  }
}

/** For calls that cannot wait as long or in line as others: the Lease's. */
export type CallOptions = Readonly<{
  /** Deadline of the whole call with its retries. */
  timeoutMs?: number
  /** Not held up by the client's own rate limit. */
  urgent?: boolean
}>

/** The API server, in plain JSON. Every call ends within its deadline. Errors: KubernetesError. */
export type KubernetesPort = Readonly<{
  /** Undefined when there is no such object. */
  get: <Kind extends Stored>(
    resource: Resource,
    key: ObjectKey,
    options?: CallOptions,
  ) => Promise<Kind | undefined>
  /** Plurals of the kinds that this group and version serves; empty when the API server knows no such version. */
  served: (apiVersion: string) => Promise<readonly string[]>
  list: <Kind extends Stored>(
    resource: Resource,
    options: Readonly<{
      /** Absent: every namespace. */
      namespace?: string
      labelSelector?: string
      limit?: number
      continueToken?: string
      signal?: AbortSignal
    }>,
  ) => Promise<Page<Kind>>
  /**
   * Server-side apply under the client's field manager. `force` takes fields over from others: for children that are ours alone.
   * `subresource: 'status'` writes the status.
   */
  apply: <Kind extends Stored>(
    resource: Resource,
    object: KubernetesObject,
    options: Readonly<{ force: boolean; subresource?: 'status' }>,
  ) => Promise<Kind>
  /** JSON merge patch; for finalizers, with `metadata.resourceVersion` in it as the precondition. */
  mergePatch: <Kind extends Stored>(
    resource: Resource,
    key: ObjectKey,
    patch: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ) => Promise<Kind>
  /** Errors: KubernetesError with reason AlreadyExists. */
  create: <Kind extends Stored>(
    resource: Resource,
    object: KubernetesObject,
    options?: CallOptions,
  ) => Promise<Kind>
  /** Replaces; `metadata.resourceVersion` in the object is the precondition. Errors: KubernetesError with reason Conflict. */
  replace: <Kind extends Stored>(
    resource: Resource,
    object: KubernetesObject,
    options?: CallOptions,
  ) => Promise<Kind>
  /**
   * Deletes the object of this uid; one that is gone, or another one, is left alone. `orphan`: what it owns stays, nobody's.
   * `resourceVersion`: only as it was when that was read. Errors: KubernetesError with reason Conflict where it has changed.
   */
  remove: (
    resource: Resource,
    key: ObjectKey,
    uid: string,
    options?: Readonly<{ orphan?: boolean; resourceVersion?: string | undefined }>,
  ) => Promise<void>
  /** The last lines of a pod's only container, cut to `bytesMax`; of its former run with `previous`. For people, not the loop. */
  podLog: (
    key: ObjectKey,
    options: Readonly<{ lines: number; bytesMax: number; previous?: boolean }>,
  ) => Promise<string>
  /** One watch connection; ends with the server's timeout, a failure or `signal`. Used by the reflector alone. */
  watch: (
    resource: Resource,
    options: Readonly<{
      namespace?: string
      labelSelector?: string
      resourceVersion: string
      timeoutS: number
      signal: AbortSignal
    }>,
  ) => AsyncIterable<WatchEvent>
  /** Whoever asks is about to leave: calls that wait to be sent again fail with what they were refused; urgent ones go on. */
  retire: () => void
  close: () => Promise<void>
}>
export type WatchEvent = Readonly<{
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: Record<string, unknown>
}>

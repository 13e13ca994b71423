import type { Clock } from '@truenow/chassis/clock.ts'
import type { Log } from '@truenow/chassis/log.ts'
import { createKubernetesClient } from './kubernetes-client.ts'
import { KubernetesError, type KubernetesPort } from './kubernetes-port.ts'

/** What a person changes by the plugin is theirs, not the operator's. */
export const USER_FIELD_MANAGER = 'kubectl-truenow'

/**
 * The API server of a person's kubeconfig, and the namespace of its context. Errors: KubernetesError with reason NoServer when the
 * file cannot be read or has no such context.
 */
export async function connectAsUser(
  { kubeconfig, context }: Readonly<{ kubeconfig?: string | undefined; context?: string | undefined }>,
  parts: Readonly<{ log: Log; clock: Clock }>,
): Promise<Readonly<{ port: KubernetesPort; namespace: string }>> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeConfig = new KubeConfig()
  try {
    if (kubeconfig === undefined) kubeConfig.loadFromDefault()
    else kubeConfig.loadFromFile(kubeconfig)
  } catch (cause) {
    throw noServer(`The kubeconfig cannot be read: ${(cause as Error).message}`, cause)
  }
  if (context !== undefined) {
    if (kubeConfig.getContextObject(context) === null) throw noServer(`There is no context '${context}'.`)
    kubeConfig.setCurrentContext(context)
  }
  const { namespace = 'default' } = kubeConfig.getContextObject(kubeConfig.getCurrentContext()) ?? {}
  const port = await createKubernetesClient({ ...parts, kubeConfig, fieldManager: USER_FIELD_MANAGER })
  return { port, namespace }
}

const noServer = (message: string, cause?: unknown) =>
  new KubernetesError(message, { status: 0, reason: 'NoServer' }, { cause })

import { type Connect, kubectlTruenow } from '../src/kubectl/kubectl-truenow.ts'
import type { KubernetesPort } from '../src/kubernetes/kubernetes-port.ts'
import { DEMO, type Scene } from './scene.ts'

/** `kubectl truenow <args>` over the Kubernetes of a scene: what it said, with its exit code. */
export async function callKubectl({ kubernetes, clock }: Scene, ...args: readonly string[]) {
  const said = { out: '', err: '', closed: 0, asked: {} as object }
  const connect: Connect = async (options) => {
    said.asked = options
    const close = async () => void said.closed++
    return { port: { ...kubernetes.port, close } as KubernetesPort, namespace: DEMO.namespace }
  }
  const output = {
    out: (text: string) => {
      said.out += `${text}\n`
    },
    err: (text: string) => {
      said.err += `${text}\n`
    },
  }
  const code = await kubectlTruenow(args, connect, output, () => clock.nowUs() / 1_000)
  return { code, ...said }
}

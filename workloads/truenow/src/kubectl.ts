import { systemClock } from '@truenow/chassis/clock.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { kubectlTruenow } from '@truenow/operator/kubectl/kubectl-truenow.ts'
import { connectAsUser } from '@truenow/operator/kubernetes/connect-as-user.ts'

/** `kubectl truenow`, by the kubeconfig of whoever calls it. Only what goes wrong is logged, to standard error. */
export function kubectl(args: readonly string[]): Promise<number> {
  const parts = {
    log: createLog({
      role: 'kubectl-truenow',
      level: 'ERROR',
      destination: { write: (line) => process.stderr.write(line) },
    }),
    clock: systemClock,
  }
  const output = { out: (text: string) => console.log(text), err: (text: string) => console.error(text) }
  return kubectlTruenow(args, (options) => connectAsUser(options, parts), output, Date.now)
}

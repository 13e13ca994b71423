/** What decides whether this machine can bring up a cluster of its own. */
export type Machine = Readonly<{ platform: string; architecture: string; uid: number }>

/**
 * Undefined when a local cluster can be started here, else the message to end with (exit code 2). It names both
 * ways, because whoever meets it wants to see TrueNow run, not to read about root.
 */
export function preflight(machine: Machine, kubeContext: string | undefined): string | undefined {
  if (kubeContext) return undefined
  const ways = [
    '  1. as root on Linux x86-64:           sudo make up',
    '  2. on a Kubernetes that you have:     make up KUBE_CONTEXT=<context> IMAGE=<image it can pull>',
  ].join('\n')
  if (machine.platform !== 'linux' || machine.architecture !== 'x64') {
    return `make up: the local cluster needs Linux on x86-64, this is ${machine.platform} ${machine.architecture}. Two ways:\n${ways}`
  }
  if (machine.uid !== 0) {
    return `make up: the local cluster needs root (network namespaces, mounts), this is uid ${machine.uid}. Two ways:\n${ways}`
  }
  return undefined
}

/** This machine. */
export const thisMachine = (): Machine => ({
  platform: process.platform,
  architecture: process.arch,
  uid: process.getuid?.() ?? -1,
})

if (import.meta.main) {
  const message = preflight(thisMachine(), process.env.KUBE_CONTEXT)
  if (message !== undefined) {
    process.stderr.write(`${message}\n`)
    process.exit(2)
  }
}

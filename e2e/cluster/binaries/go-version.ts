import { runCommand } from '../run-command.ts'

/** The modules of Kubernetes 1.34 ask for it in their go.mod. */
const goMinorMin = 24
/** For people. */
export const goNeeded = `Go 1.${goMinorMin} or newer`

/** Such as `go1.24.3`; empty where no Go is on PATH. */
export async function goVersion(): Promise<string> {
  const said = await runCommand(['go', 'env', 'GOVERSION']).catch(() => undefined)
  return said?.stdout.trim() ?? ''
}

/** Whether a version of Go builds our Kubernetes. Pure. */
export const goSuffices = (version: string): boolean =>
  Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0) >= goMinorMin

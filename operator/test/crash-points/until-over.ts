import { setTimeout as delay } from 'node:timers/promises'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { KubernetesError } from '../../src/kubernetes/kubernetes-port.ts'

const LOOK_MS = 250
/** Three minutes of a machine that runs: looks are counted and not seconds, because all of it may be paused. */
const LOOKS_MAX = 720

/** A machine that others use is slow at times; what is wrong for good is still so at the last look. */
const unanswered = (error: unknown): string => {
  if (error instanceof TrueNowError || error instanceof KubernetesError) return error.message
  throw error
}

/** Looks again and again until nothing is in the way any more. Errors: what was in the way last, after `looksMax`. */
export async function untilOver(
  whyNot: () => Promise<string | undefined>,
  looksMax = LOOKS_MAX,
): Promise<void> {
  let why: string | undefined
  for (let looks = 0; looks < looksMax; looks++) {
    why = await whyNot().catch(unanswered)
    if (why === undefined) return
    await delay(LOOK_MS)
  }
  throw new Error(`not after ${looksMax} looks: ${why}`)
}

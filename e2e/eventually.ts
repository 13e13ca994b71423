import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until `condition` holds; the last reason why it did not is in the error. */
export async function eventually(
  what: string,
  timeoutMs: number,
  condition: () => Promise<string | undefined>,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs
  for (;;) {
    const why = await condition().catch((error: unknown) => String(error))
    if (why === undefined) return
    if (performance.now() > giveUpAt) throw new Error(`${what}: not within ${timeoutMs} ms: ${why}`)
    await sleep(250)
  }
}

import type { Log } from './log.ts'

export type Shutdown = Readonly<{
  /** Registers what to close; what was opened last is closed first. */
  onClose: (name: string, close: () => Promise<unknown>) => void
  /** Closes all, once; a second call waits for the first. */
  close: () => Promise<void>
}>

/**
 * Closes in reverse order of opening: the intake first, the clients it used last. After `graceMs` it names what it waits for
 * and calls `giveUp` (default: end the process), because the kubelet would kill us next.
 */
export function createShutdown(
  graceMs: number,
  log: Log,
  giveUp: () => void = () => process.exit(1),
): Shutdown {
  const closers: Array<Readonly<{ name: string; close: () => Promise<unknown> }>> = []
  let closing: Promise<void> | undefined
  async function closeAll(): Promise<void> {
    let waitsFor = ''
    const timer = setTimeout(() => {
      log.error({ graceMs, name: waitsFor }, 'shutdown took longer than its grace period')
      giveUp()
    }, graceMs)
    for (const { name, close } of closers.toReversed()) {
      waitsFor = name
      try {
        await close()
      } catch (err) {
        log.error({ err, name }, 'close failed') // The others still close.
      }
    }
    clearTimeout(timer)
  }
  return {
    onClose: (name, close) => void closers.push({ name, close }),
    close: () => {
      closing ??= closeAll()
      return closing
    },
  }
}

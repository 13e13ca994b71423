import type { Log } from './log.ts'

/** kafkajs 2.2.4 computes one negative timer at its start, which is harmless: Node then waits 1 ms. */
const HARMLESS = ['ExperimentalWarning', 'TimeoutNegativeWarning']

/** What Node warns of goes into the log; the image's `--no-warnings` keeps it off stderr. Answers how to stop. */
export function logWarnings(
  source: Readonly<{
    on: (event: 'warning', listener: (warning: Error) => void) => unknown
    off: (event: 'warning', listener: (warning: Error) => void) => unknown
  }>,
  log: Log,
): () => void {
  const listener = (warning: Error) => {
    if (!HARMLESS.includes(warning.name)) log.warn({ err: warning }, 'Node warns')
  }
  source.on('warning', listener)
  return () => void source.off('warning', listener)
}

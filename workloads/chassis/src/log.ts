import { pino } from 'pino'

export type LogLevel = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'
type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void

/** One JSON line an event: `time`, `level`, `role`, `pod`, `msg` and the fields. Errors go in `err`. */
export type Log = Readonly<{ debug: Write; info: Write; warn: Write; error: Write }>

/** `//user:password@` in any text of the line, such as the message of an error that names a URL. */
const URL_PASSWORD = /(:\/\/[^\s/:@"]*:)[^\s/@"]+@/g

/** A log that writes to `destination` (standard output if absent). Fields that may hold a secret are masked. */
export function createLog(
  options: Readonly<{
    role: string
    pod?: string
    level?: LogLevel
    destination?: Readonly<{ write: (line: string) => unknown }>
  }>,
): Log {
  const settings = {
    base: { role: options.role, ...(options.pod === undefined ? {} : { pod: options.pod }) },
    level: (options.level ?? 'INFO').toLowerCase(),
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label.toUpperCase() }) },
    redact: { paths: ['password', '*.password', 'url', '*.url', 'token', '*.token'], censor: '[secret]' },
    hooks: { streamWrite: (line: string) => line.replaceAll(URL_PASSWORD, '$1[secret]@') },
  }
  const logger =
    options.destination === undefined
      ? pino(settings)
      : pino(settings, { write: (line: string) => void options.destination?.write(line) })
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  }
}

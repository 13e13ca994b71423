import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { createTlsCredentials, type TlsCredentials, type TlsFiles } from './tls-credentials.ts'

/** Names in a mounted Secret; the first two are those of its type, kubernetes.io/tls. */
const NAMES = { certificate: 'tls.crt', key: 'tls.key', trust: 'ca.crt', phase: 'phase' } as const
/** Four small files of a memory file system, read about as often as the kubelet may write them. */
const LOOK_EVERY_MS = 1_000

export type FollowedTls = TlsCredentials & Readonly<{ close: () => void }>

/**
 * The certificates of a mounted Secret, read again every second; what does not fit is told to `onProblem`, once for as long as
 * it stays the same, and the last that did is kept. Errors: TN_CONFIG_INVALID when there is nothing that fits at the start.
 */
export function followTlsDirectory(directory: string, onProblem: (error: unknown) => void): FollowedTls {
  const { set, ...credentials } = createTlsCredentials()
  set(readFiles(directory))
  let problem = ''
  const look = () => {
    try {
      set(readFiles(directory))
      problem = ''
    } catch (error) {
      const text = String(error)
      if (text !== problem) onProblem(error)
      problem = text
    }
  }
  const looking = setInterval(look, LOOK_EVERY_MS)
  return { ...credentials, close: () => clearInterval(looking) }
}

/** All from one directory: the kubelet writes a new one and turns a link, and files of two would not belong together. */
function readFiles(directory: string): TlsFiles {
  try {
    const place = dirname(realpathSync(join(directory, NAMES.certificate)))
    const read = (name: string) => readFileSync(join(place, name), 'utf8')
    const { certificate, key, trust, phase } = NAMES
    return { certificate: read(certificate), key: read(key), trust: read(trust), phase: read(phase) }
  } catch (cause) {
    const names = Object.values(NAMES).join(', ')
    const message = `The certificates in ${directory} cannot be read; mount a Secret there with ${names}.`
    throw new TrueNowError('TN_CONFIG_INVALID', message, { cause })
  }
}

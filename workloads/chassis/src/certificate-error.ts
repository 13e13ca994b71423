/** Codes of OpenSSL's verification, and of Node's look at the name. */
const THEIRS =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/
/** Alerts, which the peer sent about what we showed. */
const OURS = /^ERR_SSL_.*ALERT/

/** Whose certificate was not taken; undefined: the error is about something else. Pure. */
export function certificateError(error: unknown): 'ours' | 'theirs' | undefined {
  const { code } = (error ?? {}) as Readonly<{ code?: unknown }>
  if (typeof code !== 'string') return undefined
  if (THEIRS.test(code)) return 'theirs'
  return OURS.test(code) ? 'ours' : undefined
}

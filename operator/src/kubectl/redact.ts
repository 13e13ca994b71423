const REDACTED = '***'
/** Words that name what nobody may read; the value behind `:` or `=` goes, quoted or not. */
const NAMED =
  /((?:[\w-]*(?:password|passwd|secret[_-]?key|secret[_-]?access|token|api[_-]?key|private[_-]?key|credential)[\w-]*)["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s,;}"']+)/gi
const RULES: ReadonlyArray<readonly [pattern: RegExp, replacement: string]> = [
  // postgres://user:password@host: the user stays, it says whose URL it is.
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*):[^\s@"']+@/gi, `$1:${REDACTED}@`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  // A JSON Web Token, wherever it stands.
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, REDACTED],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  [NAMED, `$1${REDACTED}`],
]

/** A text without what looks like a secret: passwords in URLs, tokens, private keys, and what is named like one. Pure. */
export function redact(text: string): string {
  return RULES.reduce((all, [pattern, replacement]) => all.replace(pattern, replacement), text)
}

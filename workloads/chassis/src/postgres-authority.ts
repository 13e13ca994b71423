/**
 * `url` held to TLS with the authority in `caFile`, whatever it says of that itself: of a parameter that comes twice pg takes
 * the last, and it reads the file anew for each connection. Pure.
 */
export function postgresAuthority(url: string, caFile: string): string {
  const separator = url.includes('?') ? '&' : '?'
  return `${url}${separator}sslmode=verify-full&sslrootcert=${encodeURIComponent(caFile)}`
}

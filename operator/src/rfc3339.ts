/** µs since 1970 as the API server writes times in conditions: whole seconds, UTC. */
export function rfc3339(us: number): string {
  return `${new Date(Math.floor(us / 1_000)).toISOString().slice(0, 19)}Z`
}

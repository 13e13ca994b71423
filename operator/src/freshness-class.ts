/** How far behind, by class: a live figure in status would be a write a second. `undefined` = nobody could tell. */
export function freshnessClass(freshnessUs: number | undefined): string {
  if (freshnessUs === undefined) return 'Unknown'
  if (freshnessUs < 1_000_000) return '<1s'
  if (freshnessUs < 10_000_000) return '<10s'
  return freshnessUs < 60_000_000 ? '<1m' : 'Stale'
}

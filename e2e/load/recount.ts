import type { LoadEvent } from './generate-events.ts'

export type Recounted = Readonly<{ region: string; count: number; sum_revenue: number; sum_items: number }>

/** Counts what was sent, by region, each id once. It shares nothing with TrueNow: a Set, a Map and additions. */
export class Recount {
  private readonly ids = new Set<string>()
  private readonly byRegion = new Map<string, { count: number; revenue: number; items: number }>()

  add(event: LoadEvent): void {
    if (this.ids.has(event.event_id)) return
    this.ids.add(event.event_id)
    const group = this.byRegion.get(event.region) ?? { count: 0, revenue: 0, items: 0 }
    group.count += 1
    group.revenue += event.revenue
    group.items += event.items
    this.byRegion.set(event.region, group)
  }

  rows(): Recounted[] {
    return [...this.byRegion]
      .map(([region, { count, revenue, items }]) => ({
        region,
        count,
        sum_revenue: revenue,
        sum_items: items,
      }))
      .toSorted((a, b) => (a.region < b.region ? -1 : 1))
  }
}

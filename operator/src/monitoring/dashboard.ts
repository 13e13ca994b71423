import type { Selection } from './selection.ts'

/** Units as Grafana names them. */
export type Unit = 's' | 'bytes' | 'short' | 'percentunit' | 'ops' | 'rowsps' | 'reqps' | 'bool_yes_no'
export type Panel = Readonly<{
  title: string
  /** What it shows, what is good, and where to go when it is not. */
  description: string
  unit: Unit
  /** stat: the newest value, large. */
  kind?: 'timeseries' | 'stat'
  /** PromQL; `$__rate_interval` is Grafana's. The legend may name labels as `{{pod}}`. */
  queries: ReadonlyArray<Readonly<{ expression: string; legend: string }>>
  /** Red from here on. */
  badFrom?: number
}>
export type Dashboard = Readonly<{
  /** Last part of its ConfigMap's name. */
  name: string
  title: string
  rows: ReadonlyArray<Readonly<{ title: string; panels: readonly Panel[] }>>
}>
export type BuildDashboard = (selection: Selection) => Dashboard

const COLUMNS = 24
const PANEL_HEIGHT = 8
const PANELS_A_ROW = 3
/** Grafana fills its own variable in. */
const DATASOURCE = { type: 'prometheus', uid: `$\{datasource}` }

/** A dashboard as Grafana reads it; `uid` (at most 40 characters) must be unique in one Grafana. Pure: the same in, the same out. */
export function grafanaDashboard(
  { title, rows }: Dashboard,
  uid: string,
  of: string,
): Record<string, unknown> {
  const panels: unknown[] = []
  let y = 0
  for (const row of rows) {
    panels.push(rowOf(row.title, panels.length + 1, y))
    y += 1
    for (const [index, panel] of row.panels.entries()) {
      const place = { x: (index % PANELS_A_ROW) * (COLUMNS / PANELS_A_ROW), y }
      panels.push(panelOf(panel, panels.length + 1, place))
      if (index % PANELS_A_ROW === PANELS_A_ROW - 1 || index === row.panels.length - 1) y += PANEL_HEIGHT
    }
  }
  return {
    uid,
    title: `TrueNow ${of}: ${title}`,
    tags: ['truenow'],
    schemaVersion: 39,
    version: 1,
    editable: false,
    graphTooltip: 1,
    time: { from: 'now-1h', to: 'now' },
    refresh: '10s',
    templating: {
      list: [{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', hide: 0 }],
    },
    panels,
  }
}

const rowOf = (title: string, id: number, y: number) => ({
  id,
  type: 'row',
  title,
  collapsed: false,
  gridPos: { x: 0, y, w: COLUMNS, h: 1 },
  panels: [],
})

function panelOf(panel: Panel, id: number, place: Readonly<{ x: number; y: number }>) {
  const { title, description, unit, kind = 'timeseries', queries, badFrom } = panel
  const steps = [
    { color: 'green', value: null },
    ...(badFrom === undefined ? [] : [{ color: 'red', value: badFrom }]),
  ]
  return {
    id,
    type: kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos: { ...place, w: COLUMNS / PANELS_A_ROW, h: PANEL_HEIGHT },
    fieldConfig: { defaults: { unit, thresholds: { mode: 'absolute', steps } }, overrides: [] },
    targets: queries.map(({ expression, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr: expression,
      legendFormat: legend,
      instant: kind === 'stat',
      range: kind !== 'stat',
    })),
  }
}

import { Counter, Gauge, type Registry } from 'prom-client'

export type ControlPlaneMetrics = ReturnType<typeof createControlPlaneMetrics>

/** Every metric of the control plane. */
export const createControlPlaneMetrics = (registry: Registry) => ({
  revision: new Gauge({
    name: 'truenow_control_plane_catalog_revision',
    help: 'Revision of the catalog that this process serves.',
    registers: [registry],
  }),
  replicas: new Gauge({
    name: 'truenow_control_plane_replicas',
    help: 'Replicas in the catalog, by state.',
    labelNames: ['state'] as const, // joining | serving | leaving
    registers: [registry],
  }),
  watchers: new Gauge({
    name: 'truenow_control_plane_watchers',
    help: 'Open watch streams.',
    registers: [registry],
  }),
  calls: new Counter({
    name: 'truenow_control_plane_calls_total',
    help: 'Calls of the Catalog service, by method and outcome.',
    labelNames: ['method', 'outcome'] as const, // outcome: ok, or the error code
    registers: [registry],
  }),
  promotions: new Counter({
    name: 'truenow_control_plane_promotions_total',
    help: 'Joining replicas that caught up and became serving.',
    registers: [registry],
  }),
  lostVolumes: new Counter({
    name: 'truenow_control_plane_new_incarnations_total',
    help: 'Shards that registered without the volume the catalog knows.',
    registers: [registry],
  }),
  cursorsPublished: new Counter({
    name: 'truenow_control_plane_cursors_published_total',
    help: "Commits of applied offsets to a table's consumer group, for lag tools, by outcome.",
    labelNames: ['outcome'] as const, // published | failed (then the rest of the turn waits for the next one)
    registers: [registry],
  }),
  moveSteps: new Counter({
    name: 'truenow_control_plane_move_steps_total',
    help: 'Steps of moves, by the phase that each came to.',
    labelNames: ['phase'] as const, // as in kernels/sharding/move-protocol.ts
    registers: [registry],
  }),
  moveWatchers: new Gauge({
    name: 'truenow_control_plane_move_watchers',
    help: 'Open watches of moves; at most MOVE_WATCHERS_MAX.',
    registers: [registry],
  }),
  postgresUp: new Gauge({
    name: 'truenow_control_plane_postgres_up',
    help: '1 while PostgreSQL answers.',
    registers: [registry],
  }),
})

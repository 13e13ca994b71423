import { AGGREGATE_NAMES, type AggregateName } from '@truenow/contracts/query-statement.ts'
import { EDGES, type Edge } from './verdict.ts'

/** What a run has judged. */
export class Tally {
  tables = 0
  queries = 0
  /** Statements that blocks met between their cut and their answer. */
  whileArriving = 0
  /** Statements with filters. */
  filtered = 0
  /** Answers for which cells of rollups were read. */
  fromRollups = 0
  rowsHeld = 0
  rowsAnswered = 0
  answersEmpty = 0
  /** Statements that asked for each aggregate, and for rows. */
  readonly asked = new Map<AggregateName | 'rows', number>(['rows' as const, ...AGGREGATE_NAMES].map((name) => [name, 0])) // biome-ignore format: one line
  readonly edges = new Map<Edge, number>(EDGES.map((edge) => [edge, 0]))

  ask(name: AggregateName | 'rows'): void {
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1)
  }

  readonly meet = (edge: Edge): void => {
    this.edges.set(edge, (this.edges.get(edge) ?? 0) + 1)
  }
}

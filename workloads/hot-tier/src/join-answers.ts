import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeColumnBatch, encodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { mergePartials } from '@truenow/kernels/plan/merge-partials.ts'
import type { PartialAnswer } from './execute-partial.ts'
import { limitWholeAnswer } from './limit-whole-answer.ts'

/** One worker's answer, and the places of its slots in the request. */
export type AnswerPart = Readonly<{ places: readonly number[]; answer: PartialAnswer }>

/**
 * The answers of several workers as one: slots in the order of the request, batches merged like those of several shards, and cut to
 * the plan's limit where they are of every slot of the table, which no single one of them is.
 * `definition` is the table version that the plan names. Errors: TN_QUERY_LIMIT (groups).
 */
export function joinAnswers(
  parts: readonly AnswerPart[],
  plan: Plan,
  definition: TableDefinition,
): PartialAnswer {
  const placed = parts.flatMap(({ places, answer }) =>
    answer.slots.map((slot, index) => ({ slot, place: places[index] ?? 0 })),
  )
  const slots = placed.toSorted((a, b) => a.place - b.place).map(({ slot }) => slot)
  const answers = parts.map(({ answer }) => answer)
  return {
    slots,
    batch: joinBatches(answers, slots, plan, definition),
    rowsScanned: answers.reduce((sum, { rowsScanned }) => sum + rowsScanned, 0n),
    rowsMatched: answers.reduce((sum, { rowsMatched }) => sum + rowsMatched, 0n),
    rowsFromRollups: answers.reduce((sum, { rowsFromRollups }) => sum + rowsFromRollups, 0n),
  }
}

/** A worker none of whose slots answered has an empty batch; one batch alone is passed on as it is. */
function joinBatches(
  answers: readonly PartialAnswer[],
  slots: PartialAnswer['slots'],
  plan: Plan,
  definition: TableDefinition,
): Uint8Array {
  const batches = answers.map(({ batch }) => batch).filter(({ length }) => length > 0)
  const [only = new Uint8Array(0)] = batches
  if (batches.length < 2) return only
  const decoded = batches.map((batch) => decodeColumnBatch(batch, 0, true))
  const merged = mergePartials(plan, definition, decoded)
  return encodeColumnBatch(limitWholeAnswer(plan, definition, slots, merged))
}

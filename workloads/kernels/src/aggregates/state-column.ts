import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Column, WireType } from '@truenow/contracts/wire/column.ts'

/** A column of a partial state, of the type that its aggregate writes. Errors: TN_BLOCK_CORRUPT for any other. */
export function stateColumn<Type extends WireType>(
  state: (part: string) => Column,
  part: string,
  type: Type,
): Column & { type: Type } {
  const column = state(part)
  if (!isOfType(column, type)) {
    const message = `A partial result has ${part} as ${column.type}, not ${type}.`
    throw new TrueNowError('TN_BLOCK_CORRUPT', message)
  }
  return column
}

const isOfType = <Type extends WireType>(column: Column, type: Type): column is Column & { type: Type } =>
  column.type === type

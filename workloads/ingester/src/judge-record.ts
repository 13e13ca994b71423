import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { blockMismatch, decodeBlock } from '@truenow/contracts/wire/block-v1.ts'

export type Verdict =
  | Readonly<{ kind: 'block' }>
  | Readonly<{ kind: 'dead-letter'; reason: string }>
  | Readonly<{ kind: 'unknown-version'; version: number }>

/**
 * What a record is worth. It depends on its bytes and the table versions only, so every ingester gives the same verdict;
 * a version that is not known here is no verdict at all: the catalog has it, or will.
 */
export function judgeRecord(value: Uint8Array, definitions: ReadonlyMap<number, TableDefinition>): Verdict {
  try {
    const block = decodeBlock(value)
    const definition = definitions.get(block.tableVersion)
    if (definition === undefined) {
      const newest = Math.max(...definitions.keys())
      // Versions count up from 1: one below the newest that is missing never was, one above is still to come.
      if (block.tableVersion > newest) return { kind: 'unknown-version', version: block.tableVersion }
      return { kind: 'dead-letter', reason: `table version ${block.tableVersion} never was` }
    }
    const mismatch = blockMismatch(block, definition)
    return mismatch === undefined ? { kind: 'block' } : { kind: 'dead-letter', reason: mismatch }
  } catch (error) {
    if (error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT') {
      return { kind: 'dead-letter', reason: error.message }
    }
    throw error
  }
}

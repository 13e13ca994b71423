import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { decodeEventId, encodeEventId } from '@truenow/contracts/event-id.ts'
import type { ValueSchema } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import { CompareOperator, FilterSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import { evaluateFilter, FALSE, TRUE, UNKNOWN } from './evaluate-filter.ts'

type FilterInit = MessageInitShape<typeof FilterSchema>
type ValueInit = MessageInitShape<typeof ValueSchema>
type Cell = string | number | boolean | null
type Kind = 'text' | 'whole' | 'real' | 'flag' | 'id' | 'absent'
/** One row, a cell of each kind; `absent` stands for a column that these rows do not have. */
type Row = Readonly<Record<Kind, Cell>>

const texts = ['', 'a', 'ab', 'b', '\uffff', '\u{1f600}', 'é']
const wholes = [0, 1, -1, 7, 2 ** 52, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]
const reals = [0, -0, 0.1, -2.5, 1e300, Number.MIN_VALUE]
const ids = ['a', 'b', 'an id that is longer than sixteen bytes', '0190a5f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b']
const nullable = <T extends Cell>(values: readonly T[]): fc.Arbitrary<Cell> =>
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: fc.constant(null) })

const anyRow: fc.Arbitrary<Row> = fc.record({
  text: nullable(texts),
  whole: nullable(wholes),
  real: nullable(reals),
  flag: nullable([true, false]),
  id: fc.constantFrom(...ids),
  absent: fc.constant(null),
})

const { EQUAL, NOT_EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL, IN, LIKE, IS_NULL } =
  CompareOperator
const ordered: CompareOperator[] = [EQUAL, NOT_EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL]
const literals: Readonly<Record<Kind, fc.Arbitrary<ValueInit>>> = {
  text: fc.constantFrom(...texts).map((value) => ({ kind: { case: 'stringValue', value } })),
  whole: fc
    .constantFrom(...wholes.map(BigInt), 2n ** 53n, -(2n ** 62n))
    .map((value) => ({ kind: { case: 'int64Value', value } })),
  real: fc.constantFrom(...reals).map((value) => ({ kind: { case: 'float64Value', value } })),
  flag: fc.boolean().map((value) => ({ kind: { case: 'boolValue', value } })),
  id: fc.constantFrom(...ids).map((value) => ({ kind: { case: 'stringValue', value } })),
  absent: fc.constantFrom(...wholes.map(BigInt)).map((value) => ({ kind: { case: 'int64Value', value } })),
}
const patterns = ['%', '_', 'a%', '%b', '_b', '']

const comparison: fc.Arbitrary<FilterInit> = fc
  .constantFrom<Kind>('text', 'whole', 'real', 'flag', 'id', 'absent')
  .chain((column) => {
    const one = fc.tuple(
      // An id has no order: the planner refuses to ask for it.
      fc.constantFrom(...(column === 'id' ? [EQUAL, NOT_EQUAL] : ordered)),
      fc.array(literals[column], { minLength: 1, maxLength: 1 }),
    )
    const many = fc.tuple(fc.constant(IN), fc.array(literals[column], { maxLength: 4 }))
    const none = fc.tuple(fc.constant(IS_NULL), fc.constant([] as ValueInit[]))
    const like = fc.tuple(
      fc.constant(LIKE),
      fc.constantFrom(...patterns).map((value): ValueInit[] => [{ kind: { case: 'stringValue', value } }]),
    )
    return fc.oneof(one, many, none, ...(column === 'text' ? [like] : [])).map(
      ([operator, values]): FilterInit => ({
        kind: { case: 'comparison', value: { column, operator, values } },
      }),
    )
  })
const { filter } = fc.letrec<{ filter: FilterInit }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    comparison,
    fc
      .tuple(fc.constantFrom('and', 'or'), fc.array(tie('filter'), { maxLength: 3 }))
      .map(([name, operands]): FilterInit => ({ kind: { case: name as 'and' | 'or', value: { operands } } })),
    tie('filter').map((value): FilterInit => ({ kind: { case: 'not', value } })),
  ),
}))

/** SQL's logic over one row; null is unknown. IN is a chain of ORs, so over no values it is false, whatever the cell. */
function truth({ kind }: ReturnType<typeof made>, row: Row): boolean | null {
  switch (kind.case) {
    case 'and':
      return kind.value.operands.map((each) => truth(each, row)).reduce(both, true)
    case 'or':
      return kind.value.operands.map((each) => truth(each, row)).reduce(either, false)
    case 'not':
      return negated(truth(kind.value, row))
    case 'comparison': {
      const { column, operator, values } = kind.value
      const cell = row[column as Kind]
      if (operator === IS_NULL) return cell === null
      const wanted = values.map((value) => value.kind.value as string | number | bigint | boolean)
      if (operator === IN) return wanted.map((value) => compared(EQUAL, cell, value)).reduce(either, false)
      return compared(operator, cell, wanted[0] ?? '')
    }
    default:
      throw new Error('a filter without a kind')
  }
}
const both = (a: boolean | null, b: boolean | null) =>
  a === false || b === false ? false : a === null || b === null ? null : true
const either = (a: boolean | null, b: boolean | null) => negated(both(negated(a), negated(b)))
const negated = (a: boolean | null) => (a === null ? null : !a)

function compared(
  operator: CompareOperator,
  cell: Cell,
  wanted: string | number | bigint | boolean,
): boolean | null {
  if (cell === null) return null
  if (operator === LIKE) {
    const source = String(wanted).replaceAll('%', '[^]*').replaceAll('_', '[^]')
    return new RegExp(`^${source}$`, 'u').test(String(cell))
  }
  const sign =
    typeof cell === 'string'
      ? Buffer.compare(Buffer.from(cell), Buffer.from(String(wanted)))
      : typeof wanted === 'bigint'
        ? Number(BigInt(cell) > wanted) - Number(BigInt(cell) < wanted)
        : Number(cell) - Number(wanted)
  return (
    [sign === 0, sign !== 0, sign < 0, sign <= 0, sign > 0, sign >= 0][ordered.indexOf(operator)] ?? false
  )
}
const made = (init: FilterInit) => create(FilterSchema, init)
function columnsOf(rows: readonly Row[]): (name: string) => Column | undefined {
  const nulls = (kind: Kind) => {
    const validity = new Uint8Array(Math.ceil(rows.length / 8))
    for (const [at, row] of rows.entries()) if (row[kind] !== null) validity[at >>> 3]! |= 1 << (at & 7)
    return rows.some((row) => row[kind] === null) ? { validity } : {}
  }
  const dictionary = [...new Set(rows.map(({ text }) => String(text ?? '')))]
  const idBytes = new Uint8Array(rows.length * 16)
  for (const [at, { id }] of rows.entries()) encodeEventId(String(id), idBytes, at * 16)
  const columns: Record<string, Column> = {
    text: {
      type: 'string',
      dictionary,
      codes: Uint32Array.from(rows, ({ text }) => dictionary.indexOf(String(text ?? ''))),
      ...nulls('text'),
    },
    whole: {
      type: 'int64',
      values: Float64Array.from(rows, ({ whole }) => Number(whole)),
      ...nulls('whole'),
    },
    real: { type: 'float64', values: Float64Array.from(rows, ({ real }) => Number(real)), ...nulls('real') },
    flag: { type: 'bool', values: Uint8Array.from(rows, ({ flag }) => Number(flag)), ...nulls('flag') },
    id: { type: 'id128', values: idBytes },
  }
  return (name) => columns[name]
}
const verdicts = new Map<boolean | null, number>([
  [false, FALSE],
  [true, TRUE],
  [null, UNKNOWN],
])
const judged = (init: FilterInit, rows: readonly Row[]) => [
  ...evaluateFilter(made(init), columnsOf(rows), rows.length),
]

test('evaluateFilter: equals SQL row by row: every type, operator, tree and null', () => {
  fc.assert(
    fc.property(filter, fc.array(anyRow, { maxLength: 20 }), (init, rows) => {
      const one = made(init)
      assert.deepEqual(judged(init, rows), rows.map((row) => verdicts.get(truth(one, row)))) // biome-ignore format: one line
    }),
    { numRuns: 1_000 },
  )
})

test('evaluateFilter: De Morgan holds with unknowns, and a double negation changes nothing', () => {
  const not = (value: FilterInit): FilterInit => ({ kind: { case: 'not', value } })
  const tree = (name: 'and' | 'or', operands: FilterInit[]): FilterInit => ({
    kind: { case: name, value: { operands } },
  })
  fc.assert(
    fc.property(filter, filter, fc.array(anyRow, { maxLength: 20 }), (a, b, rows) => {
      assert.deepEqual(judged(not(tree('and', [a, b])), rows), judged(tree('or', [not(a), not(b)]), rows))
      assert.deepEqual(judged(not(not(a)), rows), judged(a, rows))
      assert.deepEqual(judged(tree('or', [a, b]), rows), judged(tree('or', [b, a]), rows))
    }),
  )
})

test('evaluateFilter: a filter without a kind keeps every row', () => {
  assert.deepEqual([...evaluateFilter(create(FilterSchema), () => undefined, 3)], [TRUE, TRUE, TRUE])
})

test('evaluateFilter: an id that is kept as its hash is found as it was sent, and as it is shown', () => {
  const sent = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
  const values = new Uint8Array(32)
  encodeEventId('another', values, 0)
  encodeEventId(sent, values, 16)
  const ask = (operator: CompareOperator, text: string) => {
    const value = {
      column: 'id',
      operator,
      values: [{ kind: { case: 'stringValue' as const, value: text } }],
    }
    return [
      ...evaluateFilter(made({ kind: { case: 'comparison', value } }), () => ({ type: 'id128', values }), 2),
    ]
  }
  for (const text of [sent, decodeEventId(values, 16)]) {
    assert.deepEqual(ask(EQUAL, text), [FALSE, TRUE])
    assert.deepEqual(ask(IN, text), [FALSE, TRUE])
    assert.deepEqual(ask(NOT_EQUAL, text), [TRUE, FALSE])
  }
})

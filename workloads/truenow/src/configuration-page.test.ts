import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commonConfig } from '@truenow/chassis/config.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { type TObject, Type } from 'typebox'
import { configurationPage } from './configuration-page.ts'

const roles = Object.keys(ROLE_PORTS) as Role[]
/** Every role with the common settings; the gateway with `own` as well. */
const schemas = (own: object) =>
  Object.fromEntries(
    roles.map((role) => [
      role,
      Type.Object({ ...commonConfig(role), ...(role === 'gateway' ? own : {}) }) as TObject,
    ]),
  ) as Record<Role, TObject>
const gatewayOf = (own: object) => {
  const page = configurationPage(schemas(own), 'A note.')
  return /## gateway\n\n([\s\S]*?)\n\n## ingester/.exec(page)?.[1] ?? ''
}

const rows: ReadonlyArray<[name: string, schema: object, row: string]> = [
  ['A', Type.Integer({ minimum: 1, maximum: 65_536, default: 4 }), 'whole number, 1 to 65,536 | `4`'],
  ['A', Type.Number({ exclusiveMinimum: 0, maximum: 64 }), 'number, above 0, at most 64 | **required**'],
  ['A', Type.Number(), 'number | **required**'],
  ['A', Type.Boolean({ default: false }), '`true` or `false` | `false`'],
  ['A', Type.String({ default: '' }), 'text | empty'],
  ['A', Type.String({ minLength: 1 }), 'text, not empty | **required**'],
  ['A', Type.String({ pattern: '^(a|b)$' }), 'text like `^(a\\|b)$` | **required**'],
  ['A', Type.Union([Type.Literal('X'), Type.Literal('Y')]), 'one of `X`, `Y` | **required**'],
  [
    'A_BYTES_MAX',
    Type.Integer({ minimum: 0, default: 3 << 19 }),
    'whole number, at least 0 | `1572864` (1.5 MiB)',
  ],
]
for (const [name, schema, row] of rows) {
  test(`configurationPage: ${row}`, () => {
    const told = gatewayOf({ [name]: { ...schema, description: 'Does it.' } })
    assert.equal(told.split('\n').at(-1), `| \`${name}\` | ${row} | Does it. |`)
  })
}

test('configurationPage: what all roles share is told once, what a role has otherwise again', () => {
  const page = configurationPage(schemas({}), 'A note.')
  for (const name of Object.keys(commonConfig('query'))) {
    assert.equal(page.split(`| \`${name}\` |`).length - 1, 1, name)
  }
  assert.equal(gatewayOf({}), 'None of its own.')
  assert.match(gatewayOf({ TRUENOW_HOST: Type.String({ default: '::', description: 'Elsewhere.' }) }), /`::`/)
})

test('configurationPage: a setting that says not what it does is a bug', () => {
  assert.throws(() => gatewayOf({ A: Type.String() }), /A has no description/)
})

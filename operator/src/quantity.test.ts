import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOfQuantity } from './quantity.ts'

const lawful: ReadonlyArray<[quantity: string, bytes: number]> = [
  ['0', 0],
  ['1', 1],
  ['1k', 1_000],
  ['1Ki', 1_024],
  ['1.5Gi', 1_610_612_736],
  ['2Gi', 2_147_483_648],
  ['1T', 1_000_000_000_000],
  ['0.1', 0],
]
for (const [quantity, bytes] of lawful) {
  test(`bytesOfQuantity: ${quantity}`, () => assert.equal(bytesOfQuantity(quantity), bytes))
}

for (const quantity of [
  '',
  'Gi',
  '-1Gi',
  '1 Gi',
  '1gi',
  '1GiB',
  '1m',
  '1e3',
  '.5Gi',
  '1.',
  '1Gi\n',
  'toString',
  '1toString',
]) {
  test(`bytesOfQuantity: ${JSON.stringify(quantity)} is none`, () => {
    assert.throws(() => bytesOfQuantity(quantity), RangeError)
  })
}

test('bytesOfQuantity: more is more, in every unit; a binary unit is above its decimal one', () => {
  const units = ['', 'k', 'Ki', 'M', 'Mi', 'G', 'Gi', 'T', 'Ti']
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_000 }), fc.constantFrom(...units), (count, unit) => {
      assert.ok(bytesOfQuantity(`${count + 1}${unit}`) > bytesOfQuantity(`${count}${unit}`))
      assert.equal(bytesOfQuantity(`${count}.0${unit}`), bytesOfQuantity(`${count}${unit}`))
    }),
  )
  for (const letter of ['M', 'G', 'T'])
    assert.ok(bytesOfQuantity(`1${letter}i`) > bytesOfQuantity(`1${letter}`))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isIntegerText } from './integer-text.ts'

test('isIntegerText: whole exactly when the fraction that the digits write is', () => {
  const digits = fc.stringMatching(/^[0-9]{0,8}$/)
  fc.assert(
    fc.property(
      fc.constantFrom('', '-'),
      fc.nat(99_999),
      digits,
      fc.option(fc.integer({ min: -12, max: 12 }), { nil: undefined }),
      fc.nat(8),
      (sign, whole, fraction, exponent, zeros) => {
        const part = fraction === '' ? '' : `.${fraction}${'0'.repeat(zeros)}`
        const text = `${sign}${whole}${part}${exponent === undefined ? '' : `e${exponent}`}`
        const scale = 10n ** BigInt(12 + 8)
        const numerator =
          BigInt(`${whole}${fraction}`) * 10n ** BigInt(20 - fraction.length + (exponent ?? 0))
        assert.equal(isIntegerText(text), numerator % scale === 0n, text)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('isIntegerText: exponents and digits beyond every double', () => {
  for (const text of [
    '1e999999999999',
    '0e-999999999999',
    '-0.000',
    `1${'0'.repeat(999)}.0`,
    '10e-1',
    '1.5E+1',
  ])
    assert.equal(isIntegerText(text), true, text)
  for (const text of ['1e-999999999999', `1.${'0'.repeat(999)}1`, '-0.5', '15e-1', '1.05E1'])
    assert.equal(isIntegerText(text), false, text)
})

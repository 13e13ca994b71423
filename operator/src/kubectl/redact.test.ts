import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { redact } from './redact.ts'

const cases: ReadonlyArray<[text: string, expected: string]> = [
  ['postgres://truenow:s3cret@db:5432/x', 'postgres://truenow:***@db:5432/x'],
  ['redis://:s3cret@cache:6379', 'redis://:***@cache:6379'],
  ['Authorization: Bearer abcdef123456', 'Authorization: Bearer ***'],
  ['{"password":"a b","user":"u"}', '{"password":***,"user":"u"}'],
  ['TRUENOW_API_KEY=abc other=1', 'TRUENOW_API_KEY=*** other=1'],
  ['sasl.password: abc', 'sasl.password: ***'],
  ['-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- rest', '*** rest'],
  ['-----BEGIN PRIVATE KEY-----\nMIIE', '***'],
  // What tells where a secret is, and ordinary words, stay.
  ['urlSecretRef: {name: demo-postgres, key: url}', 'urlSecretRef: {name: demo-postgres, key: url}'],
  ['secretName: demo-tls', 'secretName: demo-tls'],
  ['https://example.org/a?b=c', 'https://example.org/a?b=c'],
  ['partition key: 5, retention: 1h', 'partition key: 5, retention: 1h'],
]
for (const [text, expected] of cases)
  test(`redact: ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(redact(text), expected))

test('redact: no password of a URL is left, whatever stands around it, and twice is once', () => {
  const word = fc.stringMatching(/^[a-z]{3,12}$/)
  const secret = fc.stringMatching(/^[A-Z0-9!$%^&*()_+-]{8,24}$/)
  fc.assert(
    fc.property(word, word, secret, fc.string(), fc.string(), (scheme, user, password, before, after) => {
      const told = redact(`${before} ${scheme}://${user}:${password}@host ${after}`)
      assert.ok(!told.includes(`${user}:${password}`), told)
      assert.equal(redact(told), told)
    }),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR_CODES, type ErrorCode, TrueNowError } from './errors.ts'

const codes = Object.keys(ERROR_CODES) as ErrorCode[]

test('errors: every code is TN_ and upper case', () => {
  assert.deepEqual(
    codes.filter((code) => !/^TN(_[A-Z]+)+$/.test(code)),
    [],
  )
})

test('errors: HTTP and gRPC agree on whether to try again', () => {
  for (const code of codes) {
    const { statusCode, grpcStatus, retriable } = ERROR_CODES[code]
    assert.ok(statusCode >= 400 && statusCode <= 504, code)
    assert.ok(grpcStatus >= 3 && grpcStatus <= 15, code)
    // 503 and 504 ask a client to come back, as UNAVAILABLE (14) and DEADLINE_EXCEEDED (4) do; nothing else does.
    assert.equal(retriable, statusCode === 503 || statusCode === 504, code)
    assert.equal(retriable, grpcStatus === 14 || grpcStatus === 4, code)
  }
})

test('errors: one carries its code, status, cause and facts', () => {
  const cause = new Error('ECONNREFUSED')
  const error = new TrueNowError('TN_KAFKA_UNAVAILABLE', 'Kafka does not answer.', {
    cause,
    details: { brokers: 3 },
  })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    [error.name, error.message, error.code, error.statusCode, error.retriable, error.cause, error.details],
    ['TrueNowError', 'Kafka does not answer.', 'TN_KAFKA_UNAVAILABLE', 503, true, cause, { brokers: 3 }],
  )
  assert.deepEqual(new TrueNowError('TN_INTERNAL', 'm').details, {})
})

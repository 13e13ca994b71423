import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import { Type } from 'typebox'
import { commonConfig, type Environment, loadConfig, readSecretFile } from './config.ts'

const Schema = Type.Object({
  ...commonConfig('query'),
  BROKERS: Type.String({ minLength: 1, description: 'Comma-separated host:port list.' }),
  CACHE: Type.Boolean({ default: true, description: 'Whether to cache.' }),
  RATIO: Type.Number({ default: 0.5, minimum: 0, maximum: 1, description: 'A share.' }),
  ZONE: Type.Optional(Type.String({ pattern: '^[a-z]+$', description: 'Where it runs.' })),
})
const load = (environment: Environment) => loadConfig(Schema, { BROKERS: 'kafka:9092', ...environment })

test('config: defaults fill in, what is not ours is left out, the result is frozen', () => {
  const config = load({ PATH: '/bin', TRUENOW_HTTP_PORT: '0', CACHE: 'false', RATIO: '0.25' })
  assert.deepEqual(
    { ...config },
    {
      TRUENOW_HOST: '0.0.0.0',
      TRUENOW_HTTP_PORT: 0,
      TRUENOW_GRPC_PORT: 9081,
      TRUENOW_LOG_LEVEL: 'INFO',
      TRUENOW_POD_NAME: '',
      TRUENOW_DRAIN_SECONDS: 5,
      TRUENOW_TLS_DIRECTORY: '',
      TRUENOW_GRACE_SECONDS: 20,
      TRUENOW_KUBERNETES_NAMESPACE: 'default',
      TRUENOW_CLUSTER: 'truenow',
      BROKERS: 'kafka:9092',
      CACHE: false,
      RATIO: 0.25,
    },
  )
  assert.ok(Object.isFrozen(config))
})

test('config: every role has its own ports by default', () => {
  for (const [role, { http, grpc }] of Object.entries(ROLE_PORTS)) {
    const config = loadConfig(Type.Object(commonConfig(role as Role)), {})
    assert.deepEqual([config.TRUENOW_HTTP_PORT, config.TRUENOW_GRPC_PORT], [http, grpc])
  }
})

const refused: ReadonlyArray<[key: string, text: string, says: RegExp]> = [
  ['TRUENOW_HTTP_PORT', '', /must be a whole number, at least 0, at most 65535/],
  ['TRUENOW_HTTP_PORT', '80.5', /whole number/],
  ['TRUENOW_HTTP_PORT', 'true', /whole number/],
  ['TRUENOW_HTTP_PORT', '0x10', /whole number/],
  ['TRUENOW_HTTP_PORT', '1e3', /whole number/],
  ['TRUENOW_HTTP_PORT', ' 80', /whole number/],
  ['TRUENOW_HTTP_PORT', '65536', /at most 65535/],
  ['TRUENOW_HTTP_PORT', '-1', /at least 0/],
  ['TRUENOW_GRACE_SECONDS', '0', /at least 1/],
  ['TRUENOW_LOG_LEVEL', 'info', /must be one of DEBUG, INFO, WARN, ERROR/],
  ['CACHE', '1', /true or false/],
  ['CACHE', 'yes', /true or false/],
  ['RATIO', 'Infinity', /must be a number/],
  ['RATIO', '1.01', /at most 1/],
  ['BROKERS', '', /text that is not empty/],
  ['ZONE', 'A1', /text like \^\[a-z\]\+\$/],
]
for (const [key, text, says] of refused) {
  test(`config: ${key}='${text}' is refused`, () => {
    assert.throws(
      () => load({ [key]: text }),
      (error) => {
        assert.ok(error instanceof TrueNowError)
        assert.equal(error.code, 'TN_CONFIG_INVALID')
        assert.match(error.message, new RegExp(`: ${key} `))
        assert.match(error.message, says)
        return true
      },
    )
  })
}

test('config: all mistakes at once, missing ones too, and no value is repeated', () => {
  assert.throws(
    () => loadConfig(Schema, { TRUENOW_HTTP_PORT: 'hunter2', CACHE: 'hunter2' }),
    (error) => {
      assert.ok(error instanceof TrueNowError)
      assert.deepEqual(error.details.keys, ['TRUENOW_HTTP_PORT', 'BROKERS', 'CACHE'])
      assert.match(error.message, /BROKERS is missing: it must be .* \(Comma-separated host:port list\)/)
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    },
  )
})

test('readSecretFile: reads anew each time, without the line break; a missing file is a named mistake', () => {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-secret-'))
  try {
    const path = join(directory, 'url')
    writeFileSync(path, 'redis://one\n')
    assert.equal(readSecretFile(path), 'redis://one')
    writeFileSync(path, 'redis://two')
    assert.equal(readSecretFile(path), 'redis://two')
    assert.throws(() => readSecretFile(join(directory, 'none')), { code: 'TN_CONFIG_INVALID' })
  } finally {
    rmSync(directory, { recursive: true })
  }
})

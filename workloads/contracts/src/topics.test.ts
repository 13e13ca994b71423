import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { postgresSchemaName, TOPIC_NAME_LENGTH_MAX, topicName } from './topics.ts'

/** Kubernetes names, dense in the characters that could make two of them meet. */
const label = fc.stringMatching(/^[a0]([-a0]{0,6}[a0])?$/)
const subdomain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'))
const long = fc
  .tuple(label, fc.integer({ min: 0, max: 60 }))
  .map(([name, length]) => `${name}${'b'.repeat(length)}`)
const identity = fc.record({
  kubernetesNamespace: fc.oneof(label, long),
  cluster: fc.oneof(label, subdomain, long),
})

test('topicName: names every part', () => {
  assert.equal(
    topicName({ kubernetesNamespace: 'apps', cluster: 'demo' }, 'production', 'events'),
    'truenow.apps.demo.production.events',
  )
  assert.equal(TOPIC_NAME_LENGTH_MAX, 249)
})

test('postgresSchemaName: two clusters never share a schema, and PostgreSQL cuts none', () => {
  fc.assert(
    fc.property(identity, identity, (left, right) => {
      const same = left.kubernetesNamespace === right.kubernetesNamespace && left.cluster === right.cluster
      assert.equal(postgresSchemaName(left) === postgresSchemaName(right), same)
      assert.match(postgresSchemaName(left), /^[a-z0-9_]{1,63}$/)
    }),
    { numRuns: 5_000 },
  )
})

test('postgresSchemaName: a hyphen beside the border does not move it', () => {
  const name = (kubernetesNamespace: string, cluster: string) =>
    postgresSchemaName({ kubernetesNamespace, cluster })
  assert.equal(name('a-0', 'b'), 'truenow_a__0_b')
  assert.equal(name('a', '0-b'), 'truenow_a_0__b')
})

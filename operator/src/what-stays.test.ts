import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableOf } from './testing/any-table.ts'
import { whatStaysOfCluster, whatStaysOfTable } from './what-stays.ts'

test('whatStaysOfTable: its topic and its entry, by the names that other tools show', () => {
  assert.deepEqual(whatStaysOfTable(tableOf()), [
    'topic truenow.apps.demo.production.events (8 partitions)',
    'catalog entry production.events',
  ])
})

test('whatStaysOfCluster: every table’s topic, the schema, and one volume a shard', () => {
  const tables = [tableOf(), tableOf({ name: 'clicks', slots: 2 })]
  assert.deepEqual(whatStaysOfCluster({ namespace: 'apps', name: 'demo' }, tables, 3), [
    'topic truenow.apps.demo.production.events (8 partitions)',
    'topic truenow.apps.demo.production.clicks (2 partitions)',
    'PostgreSQL schema truenow_apps_demo',
    'volumes data-demo-hot-tier-0, data-demo-hot-tier-1, data-demo-hot-tier-2',
  ])
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { before, describe, test } from 'node:test'
import type { Cluster } from './cluster/cluster.ts'
import { QUICKSTART } from './install-truenow.ts'
import { type Manifest, quickstartObject } from './quickstart-object.ts'
import { kubectl } from './target.ts'
import { root, testCluster } from './test-cluster.ts'

/*
 * What a user meets before anything runs: the API server's answers to wrong specs, `kubectl explain`, columns, short names.
 * Everything is a server-side dry run or a read, so the quickstart stays as it is.
 */
const { namespace, cluster: name } = QUICKSTART
let cluster: Cluster
before(async () => {
  cluster = await testCluster()
})

/** The API server's own line when a spec is too broken for the rules. */
const UNCHECKED =
  '* <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
const EXPLAINED: ReadonlyArray<readonly [path: string, sentence: string]> = [
  ['truenowclusters', 'shards, gateways, ingesters and query pods over your Kafka, PostgreSQL and Redis.'],
  [
    'truenowclusters.spec.hotTier',
    'shards <integer> -required- Number of shards, one pod with one volume each.',
  ],
  ['truenowclusters.spec.kafka.topics', 'minInsyncReplicas <integer>'],
  ['tnc.status.conditions', 'What is going on and what to do next, for people.'],
  ['tables.spec', 'slots <integer> Partitions of the table’s topic'],
  [
    'tnt.spec.columns',
    'type <string> -required- enum: string, int64, float64, bool, .... Type of its values',
  ],
]
type Schema = Readonly<{
  description?: string
  properties?: Readonly<Record<string, Schema>>
  items?: Schema
}>
type Change = (spec: Manifest['spec'], object: Manifest) => void
const dryRun = (object: unknown) =>
  cluster.kubectl(['-n', namespace, 'apply', '--dry-run=server', '-f', '-'], JSON.stringify(object))
const changed = (object: Manifest, change: Change): Manifest => {
  change(object.spec, object)
  return object
}
const newCluster = (change: Change): Manifest => {
  const object = quickstartObject('TrueNowCluster', name)
  object.metadata.name = 'wrong'
  return changed(object, change)
}
const newTable = (change: Change): Manifest => {
  const object = quickstartObject('Table', 'events')
  object.metadata.name = 'wrong'
  return changed(object, change)
}
const sameCluster = (change: Change): Manifest => changed(quickstartObject('TrueNowCluster', name), change)
const sameTable = (change: Change): Manifest => changed(quickstartObject('Table', 'events'), change)

/** What is wrong, the object as applied, and kubectl's whole answer. */
const REFUSALS: ReadonlyArray<readonly [what: string, object: () => Manifest, answer: string]> = [
  [
    'more replicas than shards',
    () => newCluster((spec) => Object.assign(spec.hotTier, { replicationFactor: 3 })),
    'The TrueNowCluster "wrong" is invalid: spec.hotTier: Invalid value: "object": replicationFactor is above shards, so replicas would share a shard; raise shards or lower replicationFactor',
  ],
  [
    'more acknowledging replicas than there are',
    () => newCluster((spec) => Object.assign(spec.kafka.topics, { minInsyncReplicas: 2 })),
    'The TrueNowCluster "wrong" is invalid: spec.kafka.topics: Invalid value: "object": minInsyncReplicas is above replicationFactor, so nothing could ever be acknowledged; lower it',
  ],
  [
    'a password of Kafka that all on the way can read',
    () =>
      newCluster((spec) =>
        Object.assign(spec.kafka, { sasl: { mechanism: 'PLAIN', secretRef: { name: 'kafka' } } }),
      ),
    'The TrueNowCluster "wrong" is invalid: spec.kafka: Invalid value: "object": sasl.mechanism PLAIN sends the password readable to all on the way; set tls.enabled to true, or choose a SCRAM mechanism',
  ],
  [
    'TLS to Kafka, neither on nor off',
    () => newCluster((spec) => Object.assign(spec.kafka, { tls: {} })),
    `The TrueNowCluster "wrong" is invalid: \n* spec.kafka.tls.enabled: Required value\n${UNCHECKED}`,
  ],
  [
    'an autoscaler below its floor',
    () =>
      newCluster((spec) => Object.assign(spec, { query: { replicas: 3, autoscaling: { maxReplicas: 2 } } })),
    'The TrueNowCluster "wrong" is invalid: spec.query: Invalid value: "object": autoscaling.maxReplicas is below replicas, which is its floor; raise it or lower replicas',
  ],
  [
    'a name that leaves no room for those of its objects',
    () => newCluster((_, { metadata }) => Object.assign(metadata, { name: 'c'.repeat(41) })),
    `The TrueNowCluster "${'c'.repeat(41)}" is invalid: <nil>: Invalid value: "object": the name may have at most 40 characters, so that the names of its objects fit; choose a shorter one`,
  ],
  [
    'a broker without a port',
    () => newCluster((spec) => Object.assign(spec.kafka, { brokers: ['kafka'] })),
    `The TrueNowCluster "wrong" is invalid: spec.kafka.brokers[0]: Invalid value: "kafka": spec.kafka.brokers[0] in body should match '^[A-Za-z0-9.-]+:[0-9]{1,5}$'`,
  ],
  [
    'a word that is none of the policies',
    () => newCluster((spec) => Object.assign(spec, { deletionPolicy: 'Keep' })),
    `The TrueNowCluster "wrong" is invalid: \n* spec.deletionPolicy: Unsupported value: "Keep": supported values: "Retain", "Delete"\n${UNCHECKED}`,
  ],
  [
    'no PostgreSQL',
    () => newCluster((spec) => delete spec.postgres),
    `The TrueNowCluster "wrong" is invalid: \n* spec.postgres: Required value\n${UNCHECKED}`,
  ],
  [
    'a misspelt field',
    () => newCluster((spec) => Object.assign(spec, { hotTeir: {} })),
    'Error from server (BadRequest): error when creating "STDIN": TrueNowCluster in version "v1alpha1" cannot be handled as a TrueNowCluster: strict decoding error: unknown field "spec.hotTeir"',
  ],
  [
    'fewer shards than replicas, by update',
    () => sameCluster((spec) => Object.assign(spec.hotTier, { shards: 1 })),
    `The TrueNowCluster "${name}" is invalid: spec.hotTier: Invalid value: "object": replicationFactor is above shards, so replicas would share a shard; raise shards or lower replicationFactor`,
  ],
  [
    'fewer shards left than replicas, by update',
    () => sameCluster((spec) => Object.assign(spec.hotTier, { drain: [0, 99] })),
    `The TrueNowCluster "${name}" is invalid: spec.hotTier: Invalid value: "object": drain leaves fewer shards than replicationFactor; take a shard out of it, raise shards or lower replicationFactor`,
  ],
  [
    'smaller volumes, by update',
    () => sameCluster((spec) => Object.assign(spec.hotTier.storage, { size: '1536Mi' })),
    `The TrueNowCluster "${name}" is invalid: spec.hotTier: Invalid value: "object": storage.size can only be raised: volumes do not shrink; set it back, or above what it was`,
  ],
  [
    'volumes of another class, by update',
    () => sameCluster((spec) => Object.assign(spec.hotTier.storage, { storageClassName: 'other' })),
    `The TrueNowCluster "${name}" is invalid: spec.hotTier: Invalid value: "object": storage.storageClassName cannot change: volumes stay where they are; create another cluster`,
  ],
  [
    'a partition key that is no column',
    () => newTable((spec) => Object.assign(spec, { partitionBy: ['usr_id'] })),
    'The Table "wrong" is invalid: spec: Invalid value: "object": partitionBy names a column that the table does not have; name columns of this table',
  ],
  [
    'the id among the columns',
    () => newTable((spec) => spec.columns.push({ name: 'event_id', type: 'string' })),
    'The Table "wrong" is invalid: spec: Invalid value: "object": columns repeats the id or time column, which every table has; leave it out',
  ],
  [
    'a rollup by a column that is not there',
    () =>
      newTable((spec) =>
        Object.assign(spec, {
          rollups: [{ dimensions: ['regoin'], metrics: ['revenue'], granularity: '1s' }],
        }),
      ),
    'The Table "wrong" is invalid: spec: Invalid value: "object": rollups has a dimension that is no string, bool or int64 column of the table; name one that is',
  ],
  [
    'a rollup of a text',
    () =>
      newTable((spec) =>
        Object.assign(spec, { rollups: [{ dimensions: [], metrics: ['region'], granularity: '1s' }] }),
      ),
    'The Table "wrong" is invalid: spec: Invalid value: "object": rollups has a metric that is no int64 or float64 column of the table; name one that is',
  ],
  [
    'one column as id and time',
    () => newTable((spec) => Object.assign(spec, { idColumn: 'event_time_us' })),
    'The Table "wrong" is invalid: spec: Invalid value: "object": idColumn and timeColumn name the same column; give them different names',
  ],
  [
    'a column twice',
    () => newTable((spec) => spec.columns.push({ name: 'region', type: 'string' })),
    'The Table "wrong" is invalid: spec.columns[6]: Duplicate value: {"name":"region"}',
  ],
  [
    'an unknown type',
    () => newTable((spec) => Object.assign(spec.columns[0], { type: 'text' })),
    `The Table "wrong" is invalid: \n* spec.columns[0].type: Unsupported value: "text": supported values: "string", "int64", "float64", "bool", "timestamp"\n${UNCHECKED}`,
  ],
  [
    'a duration in words',
    () => newTable((spec) => Object.assign(spec, { retention: '1 hour' })),
    `The Table "wrong" is invalid: spec.retention: Invalid value: "1 hour": spec.retention in body should match '^[1-9][0-9]*(ms|s|m|h|d)$'`,
  ],
  [
    'no slots',
    () => newTable((spec) => Object.assign(spec, { slots: 0 })),
    'The Table "wrong" is invalid: spec.slots: Invalid value: 0: spec.slots in body should be greater than or equal to 1',
  ],
  ...(
    [
      ['slots', 16, 'a slot is a partition of the topic and keys would land elsewhere'],
      ['timeColumn', 'at_us', 'rows are placed by it'],
      ['idColumn', 'id', 'duplicates are found by it'],
      ['partitionBy', ['region'], 'keys would land in other slots'],
      ['clusterRef', { name: 'other' }, 'its data lies in that cluster'],
      ['namespace', 'staging', 'the data is known by it'],
      ['name', 'other', 'the data is known by it'],
    ] as const
  ).map(
    ([field, value, why]) =>
      [
        `another ${field}, by update`,
        () => sameTable((spec) => Object.assign(spec, { [field]: value })),
        `The Table "events" is invalid: spec: Invalid value: "object": ${field} cannot change: ${why}; create another table`,
      ] as const,
  ),
  [
    'a partition key taken away, by update',
    () => sameTable((spec) => delete spec.partitionBy),
    'The Table "events" is invalid: spec: Invalid value: "object": partitionBy cannot change: keys would land in other slots; create another table',
  ],
]

test('the same objects without the mistake are taken, so the mistake is what is refused', async () => {
  for (const object of [newCluster(() => {}), newTable(() => {}), sameCluster(() => {}), sameTable(() => {})])
    assert.equal((await dryRun(object)).code, 0, `${object.kind} ${object.metadata.name}`)
})

describe('refused', { concurrency: 4 }, () => {
  for (const [what, object, answer] of REFUSALS) {
    test(what, async () => {
      const { code, stderr } = await dryRun(object())
      assert.equal(stderr.trimEnd(), answer)
      assert.notEqual(code, 0)
    })
  }
})

test('every field of every kind says what it is for, and kubectl explain prints it', async () => {
  for (const plural of ['truenowclusters', 'tables']) {
    const crd = await kubectl(cluster, ['get', `crd/${plural}.truenow.io`, '-o', 'json'])
    assert.ok(crd.length < 262_144, `${plural}: ${crd.length} bytes do not fit a client-side apply`)
    const { openAPIV3Schema } = JSON.parse(crd).spec.versions[0].schema
    const fields = describedFields(openAPIV3Schema, plural)
    assert.ok(fields.length > 20, `${fields.length} fields seen`)
    const short = fields.filter(({ description }) => description.length < 20 || !/[.!]$/.test(description))
    assert.deepEqual(short, [], 'a description is a sentence')
  }
  for (const [path, sentence] of EXPLAINED) {
    const text = (await kubectl(cluster, ['explain', path])).replaceAll(/\s+/g, ' ')
    assert.ok(text.includes(sentence), `kubectl explain ${path} lacks '${sentence}': ${text}`)
    assert.ok(!text.includes('<no description>'), path)
  }
})

test('columns, short names and category read as the documentation says', async () => {
  const get = (...args: string[]) => kubectl(cluster, ['-n', namespace, 'get', ...args])
  const [clusters = '', tables = ''] = (await get('tnc,tnt')).split('\n\n')
  assert.match(clusters, /^NAME +READY +PHASE +SHARDS +FRESHNESS +AGE\n/)
  assert.match(clusters, new RegExp(`\ntruenowcluster.truenow.io/${name} +(\\d+)/\\1 +Ready +2/2 +\\S+ +\\d`))
  assert.match(tables, /^NAME +CLUSTER +SLOTS +READY +FRESHNESS +AGE\n/)
  assert.match(tables, new RegExp(`\ntable.truenow.io/events +${name} +8 +8/8 +\\S+ +\\d`))
  assert.match(await get('tnc', '-o', 'wide'), /^NAME +READY +PHASE +SHARDS +FRESHNESS +IMAGE +REASON +AGE\n/)
  assert.match(await get('tnt', '-o', 'wide'), /^NAME +CLUSTER +SLOTS +READY +FRESHNESS +REASON +AGE\n/)
  const all = await get('all', '-o', 'name')
  for (const object of [`truenowcluster.truenow.io/${name}`, 'table.truenow.io/events'])
    assert.ok(all.split('\n').includes(object), `kubectl get all lacks ${object}`)
})

test('the scale subresource says how many shards are wanted and there, and fewer than replicas are refused in words', async () => {
  const path = `/apis/truenow.io/v1alpha1/namespaces/${namespace}/truenowclusters/${name}/scale`
  const { spec, status } = JSON.parse(await kubectl(cluster, ['get', '--raw', path]))
  assert.deepEqual({ wanted: spec.replicas, there: status.replicas }, { wanted: 2, there: 2 })
  const pods = await kubectl(cluster, ['-n', namespace, 'get', 'pods', '-l', status.selector, '-o', 'name'])
  assert.deepEqual(pods.trim().split('\n').toSorted(), [`pod/${name}-hot-tier-0`, `pod/${name}-hot-tier-1`])
  const scaled = await cluster.kubectl(['-n', namespace, 'scale', `tnc/${name}`, '--replicas=1'])
  assert.notEqual(scaled.code, 0)
  assert.match(scaled.stderr, /replicationFactor is above shards/)
})

test('every manifest in the tree and in the documentation is one that the API server takes', async () => {
  const manifests = [
    ...globSync('{cdk8s/dist,crds,examples}/*.yaml', { cwd: root }).map(
      (file) => [file, read(file)] as const,
    ),
    ...trackedPages().flatMap((page) =>
      yamlBlocks(read(page)).map((text, index) => [`${page}, block ${index + 1}`, text] as const),
    ),
  ]
  assert.ok(manifests.length >= 3, `only ${manifests.length} found`)
  for (const [where, text] of manifests) {
    const { code, stderr } = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], text)
    assert.equal(code, 0, `${where}: ${stderr}`)
  }
})

/** Every named field below a schema, with its description; a list's fields carry `[]` in their path. */
function describedFields(schema: Schema, path: string): Array<{ path: string; description: string }> {
  const inside = schema.items === undefined ? [] : describedFields(schema.items, `${path}[]`)
  const fields = Object.entries(schema.properties ?? {}).flatMap(([field, below]) => [
    { path: `${path}.${field}`, description: below.description ?? '' },
    ...describedFields(below, `${path}.${field}`),
  ])
  return [...inside, ...fields]
}

const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8')
const trackedPages = (): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((page) => page !== '')
const yamlBlocks = (page: string): string[] =>
  [...page.matchAll(/^```yaml\n(.*?)^```/gms)]
    .map(([, text = '']) => text)
    .filter((text) => /^apiVersion:/m.test(text))

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import { stringify } from 'yaml'
import { GROUP, VERSION } from './names.ts'
import { RebalanceSpec, RebalanceStatus } from './v1alpha1/rebalance.ts'
import { TableSpec, TableStatus } from './v1alpha1/table.ts'
import { TrueNowClusterSpec, TrueNowClusterStatus } from './v1alpha1/truenow-cluster.ts'

type Column = Readonly<{
  name: string
  type: string
  jsonPath: string
  priority?: number
  description: string
}>
type Kind = Readonly<{
  kind: string
  plural: string
  singular: string
  shortName: string
  description: string
  spec: TSchema
  status: TSchema
  columns: readonly Column[]
  scale?: Readonly<Record<string, string>>
  /** Longest name of which every child's name still fits. */
  nameLengthMax: number
}>

const condition = (type: string) => `.status.conditions[?(@.type=="${type}")]`
const KINDS: readonly Kind[] = [
  {
    kind: 'TrueNowCluster',
    plural: 'truenowclusters',
    singular: 'truenowcluster',
    shortName: 'tnc',
    description:
      'A TrueNow cluster: shards, gateways, ingesters and query pods over your Kafka, PostgreSQL and Redis.',
    spec: TrueNowClusterSpec,
    status: TrueNowClusterStatus,
    columns: [
      {
        name: 'Ready',
        type: 'string',
        jsonPath: '.status.ready',
        description: 'Ready pods of all pods wanted.',
      },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'One word for the whole.' },
      { name: 'Shards', type: 'string', jsonPath: '.status.shards', description: 'Ready of desired shards.' },
      {
        name: 'Freshness',
        type: 'string',
        jsonPath: '.status.freshness',
        description: 'How far the slowest table is behind.',
      },
      {
        name: 'Image',
        type: 'string',
        jsonPath: '.status.image',
        priority: 1,
        description: 'Image that the roles run.',
      },
      {
        name: 'Reason',
        type: 'string',
        jsonPath: `${condition('Ready')}.message`,
        priority: 1,
        description: 'Why it is not Ready.',
      },
    ],
    scale: {
      specReplicasPath: '.spec.hotTier.shards',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
    nameLengthMax: 40,
  },
  {
    kind: 'Table',
    plural: 'tables',
    singular: 'table',
    shortName: 'tnt',
    description: 'A table of a TrueNow cluster: its columns, its slots and how long its rows are held.',
    spec: TableSpec,
    status: TableStatus,
    columns: [
      {
        name: 'Cluster',
        type: 'string',
        jsonPath: '.spec.clusterRef.name',
        description: 'Cluster that holds the table.',
      },
      { name: 'Slots', type: 'integer', jsonPath: '.spec.slots', description: 'Partitions of the topic.' },
      {
        name: 'Ready',
        type: 'string',
        jsonPath: '.status.slotsReady',
        description: 'Slots at full replication.',
      },
      {
        name: 'Freshness',
        type: 'string',
        jsonPath: '.status.freshness',
        description: 'How far answers are behind.',
      },
      {
        name: 'Reason',
        type: 'string',
        jsonPath: `${condition('Ready')}.message`,
        priority: 1,
        description: 'Why it is not Ready.',
      },
    ],
    nameLengthMax: 63,
  },
  {
    kind: 'Rebalance',
    plural: 'rebalances',
    singular: 'rebalance',
    shortName: 'tnr',
    description:
      'A proposal which replicas to move so that the shards of a cluster are even, and once approved their moves.',
    spec: RebalanceSpec,
    status: RebalanceStatus,
    columns: [
      {
        name: 'Cluster',
        type: 'string',
        jsonPath: '.spec.clusterRef.name',
        description: 'Cluster it speaks of.',
      },
      { name: 'Mode', type: 'string', jsonPath: '.spec.mode', description: 'What is to be evened.' },
      { name: 'State', type: 'string', jsonPath: '.status.state', description: 'How far the proposal is.' },
      { name: 'Moves', type: 'integer', jsonPath: '.status.moveCount', description: 'Moves it proposes.' },
      {
        name: 'Bytes',
        type: 'integer',
        jsonPath: '.status.bytesToMove',
        priority: 1,
        description: 'Bytes to copy.',
      },
      {
        name: 'Reason',
        type: 'string',
        jsonPath: '.status.message',
        priority: 1,
        description: 'What is behind it.',
      },
    ],
    nameLengthMax: 63,
  },
]

/** A custom resource definition, as plain data. */
export function customResourceDefinition(kind: Kind): Record<string, unknown> {
  const nameRule = {
    rule: `self.metadata.name.size() <= ${kind.nameLengthMax}`,
    message: `the name may have at most ${kind.nameLengthMax} characters, so that the names of its objects fit; choose a shorter one`,
  }
  const age = {
    name: 'Age',
    type: 'date',
    jsonPath: '.metadata.creationTimestamp',
    description: 'Time since creation.',
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: [kind.shortName],
        categories: ['all', 'truenow'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: [...kind.columns, age],
          subresources: { status: {}, ...(kind.scale === undefined ? {} : { scale: kind.scale }) },
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: kind.description,
              required: ['spec'],
              'x-kubernetes-validations': [nameRule],
              properties: { spec: structural(kind.spec), status: optional(structural(kind.status)) },
            },
          },
        },
      ],
    },
  }
}

/**
 * TypeBox's JSON Schema as a structural schema of Kubernetes: its own keywords alone, and no `const` or `$id`. What has a
 * default is not required: the API server judges `default: {}` of a section as it stands.
 */
function structural(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(structural)
  if (!isRecord(schema)) return schema
  const entries = Object.entries(schema).filter(([key]) => !key.startsWith('~') && key !== '$id')
  return Object.fromEntries(
    entries.flatMap(([key, value]) => {
      if (key === 'default') return [[key, value]]
      if (key !== 'required' || !Array.isArray(value)) return [[key, structural(value)]]
      const { properties } = schema
      const needed = value.filter((name) => !hasDefault(isRecord(properties) ? properties[name] : undefined))
      return needed.length === 0 ? [] : [[key, needed]]
    }),
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const hasDefault = (schema: unknown): boolean => isRecord(schema) && 'default' in schema

/** Status is written a part at a time, so none of its fields is required. */
function optional(schema: unknown): unknown {
  const { required: _required, ...rest } = schema as Record<string, unknown>
  return rest
}

const folder = fileURLToPath(new URL('../../../crds/', import.meta.url))
const NOTE = '# Generated from operator/src/api by `make generate`. Do not edit.\n'

if (import.meta.main) {
  mkdirSync(folder, { recursive: true })
  for (const kind of KINDS) {
    const path = `${folder}${kind.plural}.yaml`
    const text =
      NOTE + stringify(customResourceDefinition(kind), { lineWidth: 0, aliasDuplicateObjects: false })
    if (!process.argv.includes('--check')) writeFileSync(path, text)
    else if (readFileSync(path, 'utf8') !== text) {
      console.error(`${path} differs from operator/src/api; run \`make generate\` and commit it.`)
      process.exitCode = 1
    }
  }
}

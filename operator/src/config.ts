import { commonConfig } from '@truenow/chassis/config.ts'
import { type Static, Type } from 'typebox'

/** Settings of the operator; the chart sets them. docs/configuration.md is written from this. */
export const OperatorConfig = Type.Object({
  ...commonConfig('operator'),
  TRUENOW_OPERATOR_NAMESPACE: Type.String({
    minLength: 1,
    description: 'Kubernetes namespace that the operator runs in; its Lease lies there.',
  }),
  TRUENOW_OPERATOR_LEASE: Type.String({
    default: 'truenow-operator',
    description: 'Name of the Lease that makes one replica the leader; also names this operator in status.',
  }),
  TRUENOW_OPERATOR_IMAGE: Type.String({
    minLength: 1,
    description: 'Image of clusters whose spec.image is unset when they are created.',
  }),
  TRUENOW_RUNBOOKS_URL: Type.String({
    pattern: '^https?://\\S+$',
    default: 'https://truenow.io/docs/runbooks',
    description: 'Where docs/runbooks of this release can be read; alerts link to <it>/<alert>.md.',
  }),
  TRUENOW_WATCH_NAMESPACES: Type.String({
    default: '',
    description: 'Comma-separated Kubernetes namespaces to act in; empty = the whole cluster.',
  }),
  TRUENOW_OPERATOR_RESYNC_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 3_600,
    default: 10,
    description: 'Seconds after which an object that rests is looked at again.',
  }),
  TRUENOW_OPERATOR_WORKERS: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 8,
    description: 'Objects that are worked on at once; each by one at a time.',
  }),
})
export type OperatorConfig = Readonly<Static<typeof OperatorConfig>>

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubernetesError } from './kubernetes/kubernetes-port.ts'
import type { ControlPlane, Operands } from './operands.ts'
import { operandsWhileLeading } from './while-leading.ts'

const COMMANDS = ['putCluster', 'putTable', 'deleteTable', 'deleteCluster', 'grantLeader', 'planMoves', 'approveMoves', 'advanceMoves', 'cancelMoves', 'retireShards'] as const // biome-ignore format: one line

test('operandsWhileLeading: who leads no more is refused every command, and may still read', async () => {
  const asked: string[] = []
  const ask = (name: string) => [name, async () => void asked.push(name)] as const
  const controlPlane = Object.fromEntries([...COMMANDS, 'getPlacement'].map(ask)) as unknown as ControlPlane
  const operands = { controlPlane: () => controlPlane } as unknown as Operands
  let leads = false
  const guarded = operandsWhileLeading(operands, () => leads).controlPlane({ namespace: 'a', name: 'demo' })
  const isNotLeader = (error: unknown) => error instanceof KubernetesError && error.reason === 'NotLeader'
  for (const name of COMMANDS) await assert.rejects(guarded[name]({}), isNotLeader, name)
  await guarded.getPlacement({})
  assert.deepEqual(asked, ['getPlacement'])
  leads = true
  for (const name of COMMANDS) await guarded[name]({})
  assert.deepEqual(asked, ['getPlacement', ...COMMANDS])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type GrantLeaderRequest,
  GrantLeaderResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { createLeaderEpochs } from './leader-epochs.ts'
import type { ControlPlane, Operands } from './operands.ts'

const CLUSTER = { namespace: 'apps', name: 'demo' }

function scene(term: { createdAt: string; transitions: number } | undefined) {
  const asked: Array<Partial<GrantLeaderRequest>> = []
  const deposed: string[] = []
  const grantLeader: ControlPlane['grantLeader'] = async (request) => {
    asked.push(request as Partial<GrantLeaderRequest>)
    return create(GrantLeaderResponseSchema, { leaderEpoch: BigInt(asked.length) })
  }
  const operands = { controlPlane: () => ({ grantLeader }) } as unknown as Operands
  const epochs = createLeaderEpochs({
    operands,
    operator: 'truenow/operator',
    term: () => term,
    holder: () => 'me',
    onDeposed: (message) => deposed.push(message),
  })
  return { asked, deposed, epochs }
}

test('createLeaderEpochs: asked for once, under the term of the Lease in µs', async () => {
  const { asked, epochs } = scene({ createdAt: '2026-01-01T00:00:00Z', transitions: 7 })
  for (let round = 0; round < 3; round++)
    assert.equal(await epochs.under(CLUSTER, async (epoch) => epoch), 1n)
  assert.deepEqual(asked, [
    {
      operator: 'truenow/operator',
      holder: 'me',
      leaseCreatedAtUs: BigInt(Date.UTC(2026, 0, 1)) * 1_000n,
      leaseTransitions: 7n,
    },
  ])
})

test('createLeaderEpochs: a refused command forgets the epoch, another failure does not', async () => {
  const { asked, epochs } = scene({ createdAt: '2026-01-01T00:00:00Z', transitions: 7 })
  const failing = (code: 'TN_LEADER_STALE' | 'TN_PEER_UNAVAILABLE') => async () => {
    throw new TrueNowError(code, 'refused')
  }
  await assert.rejects(epochs.under(CLUSTER, failing('TN_PEER_UNAVAILABLE')))
  await assert.rejects(epochs.under(CLUSTER, failing('TN_LEADER_STALE')))
  assert.equal(asked.length, 1)
  assert.equal(await epochs.under(CLUSTER, async (epoch) => epoch), 2n)
})

test('createLeaderEpochs: a control plane of before leader epochs is commanded without one, until it knows the call', async () => {
  let known = false
  let asked = 0
  const grantLeader: ControlPlane['grantLeader'] = async () => {
    asked += 1
    if (known) return create(GrantLeaderResponseSchema, { leaderEpoch: 5n })
    throw new TrueNowError('TN_PEER_UNAVAILABLE', 'UNIMPLEMENTED', { details: { grpcStatus: 12 } })
  }
  const epochs = createLeaderEpochs({
    operands: { controlPlane: () => ({ grantLeader }) } as unknown as Operands,
    operator: 'truenow/operator',
    term: () => ({ createdAt: '2026-01-01T00:00:00Z', transitions: 7 }),
    holder: () => 'me',
    onDeposed: (message) => assert.fail(message),
  })
  const command = () => epochs.under(CLUSTER, async (epoch) => epoch)
  assert.deepEqual([await command(), await command(), asked], [0n, 0n, 2])
  known = true
  assert.deepEqual([await command(), await command(), asked], [5n, 5n, 3])
})

const REFUSALS: ReadonlyArray<[name: string, details: Record<string, unknown>, deposed: boolean]> = [
  ['a later term of our Lease', { operator: 'truenow/operator', holder: 'other', leaderEpoch: 2 }, true],
  ['another operator', { operator: 'apps/operator', holder: 'other', leaderEpoch: 2 }, false],
  ['a restored catalog', { operator: 'truenow/operator', holder: 'other', leaderEpoch: 1 }, false],
  ['our own later grant', { operator: 'truenow/operator', holder: 'me', leaderEpoch: 2 }, false],
  ['a catalog made anew', { operator: '', holder: '', leaderEpoch: 0 }, false],
]
for (const [name, details, expected] of REFUSALS) {
  test(`createLeaderEpochs: refused for ${name}, this process ${expected ? 'was deposed' : 'asks anew'}`, async () => {
    const { deposed, epochs } = scene({ createdAt: '2026-01-01T00:00:00Z', transitions: 7 })
    const refusing = async () => {
      throw new TrueNowError('TN_LEADER_STALE', 'refused', { details })
    }
    await assert.rejects(epochs.under(CLUSTER, refusing))
    assert.deepEqual(deposed, expected ? ['refused'] : [])
  })
}

test('createLeaderEpochs: who does not lead asks nobody and commands nothing', async () => {
  const { asked, epochs } = scene(undefined)
  const stale = (error: unknown) => error instanceof TrueNowError && error.code === 'TN_LEADER_STALE'
  await assert.rejects(
    epochs.under(CLUSTER, async () => assert.fail('commanded')),
    stale,
  )
  assert.equal(asked.length, 0)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REBALANCE_STATES, type Rebalance, type RebalanceState } from './api/v1alpha1/rebalance.ts'
import { askedVerb, type RebalanceVerb, whyNotNow, withoutVerb } from './rebalance-verb.ts'

const withAnnotations = (annotations: Readonly<Record<string, string>>): Rebalance => ({
  apiVersion: 'truenow.io/v1alpha1',
  kind: 'Rebalance',
  metadata: { name: 'even', namespace: 'apps', uid: 'u', generation: 1, annotations },
  spec: { clusterRef: { name: 'demo' }, mode: 'Full' },
})

/** Whether each verb is obeyed in each state; a missing cell does not compile. */
const OBEYED: Readonly<Record<RebalanceVerb, Readonly<Record<RebalanceState, boolean>>>> = {
  approve: { PendingProposal: false, ProposalReady: true, Rebalancing: true, Ready: false, Stopped: false, NotReady: false }, // biome-ignore format: one line
  stop: { PendingProposal: false, ProposalReady: false, Rebalancing: true, Ready: false, Stopped: true, NotReady: false }, // biome-ignore format: one line
  refresh: { PendingProposal: false, ProposalReady: true, Rebalancing: false, Ready: true, Stopped: true, NotReady: true }, // biome-ignore format: one line
}
for (const verb of ['approve', 'stop', 'refresh'] as const)
  for (const state of REBALANCE_STATES)
    test(`whyNotNow: ${verb} while ${state}`, () => {
      const why = whyNotNow(verb, state)
      assert.equal(why === undefined, OBEYED[verb][state])
      if (why !== undefined)
        assert.match(why, new RegExp(`^${verb} means nothing while the Rebalance is ${state};`))
    })

test('askedVerb: of several at once to stop comes first; what is not ours is none', () => {
  assert.equal(askedVerb(withAnnotations({})), undefined)
  assert.equal(askedVerb(withAnnotations({ 'truenow.io/adopt': 'x' })), undefined)
  assert.equal(askedVerb(withAnnotations({ 'truenow.io/approve': 'true' })), 'approve')
  const both = { 'truenow.io/approve': 'true', 'truenow.io/refresh': 'true', 'truenow.io/stop': '' }
  assert.equal(askedVerb(withAnnotations(both)), 'stop')
  assert.deepEqual(withoutVerb('stop'), { 'truenow.io/stop': null })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdmissionPolicy, type PolicySeen } from './admission-policy.ts'
import { KubernetesError, type KubernetesPort } from './kubernetes/kubernetes-port.ts'

const POLICY = 'validatingadmissionpolicies.admissionregistration.k8s.io/truenow-deletion-protection'
const BINDING = 'validatingadmissionpolicybindings.admissionregistration.k8s.io/truenow-deletion-protection'
const there = async () => ({})
const gone = async () => undefined
const refused = (status: number) => async () => {
  throw new KubernetesError('no', { status, reason: 'Forbidden' })
}
type Answer = () => Promise<unknown>
const cases: ReadonlyArray<[name: string, policy: Answer, binding: Answer, expected: PolicySeen]> = [
  ['both are there', there, there, { state: 'Installed', unobserved: [] }],
  ['without a binding it does nothing', there, gone, { state: 'Missing', unobserved: [] }],
  ['none', gone, gone, { state: 'Missing', unobserved: [] }],
  ['a Role only', refused(403), refused(403), { state: 'Unobserved', unobserved: [POLICY, BINDING] }],
  ['one may be seen', gone, refused(403), { state: 'Unobserved', unobserved: [BINDING] }],
  ['nobody answered yet', refused(0), there, { state: 'Unobserved', unobserved: [] }],
]

function lookingAt(policy: Answer, binding: Answer) {
  let nowMs = 0
  const asked: string[] = []
  const get = (({ plural }, { namespace }) => {
    asked.push(`${namespace}/${plural}`)
    return plural === 'validatingadmissionpolicies' ? policy() : binding()
  }) as KubernetesPort['get']
  const looking = createAdmissionPolicy({ get }, { monotonicMs: () => nowMs })
  return { ...looking, asked, advance: (ms: number) => (nowMs += ms) }
}

for (const [name, policy, binding, expected] of cases) {
  test(`createAdmissionPolicy: ${name}`, async () => {
    assert.deepEqual(await lookingAt(policy, binding).look(), expected)
  })
}

test('createAdmissionPolicy: asks twice in ten minutes, however often it is looked at and even when refused', async () => {
  const looking = lookingAt(refused(403), refused(403))
  for (let second = 0; second < 600; second++) {
    await looking.look()
    looking.advance(1_000)
  }
  assert.equal(looking.asked.length, 2)
  await looking.look()
  assert.equal(looking.asked.length, 4)
  assert.ok(
    looking.asked.every((one) => one.startsWith('/')),
    'without a namespace',
  )
})

test('createAdmissionPolicy: what was seen stands while nobody answers, who is asked again after a minute', async () => {
  let answer: Answer = there
  const looking = lookingAt(
    () => answer(),
    () => answer(),
  )
  await looking.look()
  answer = refused(503)
  looking.advance(600_000)
  for (let second = 0; second < 59; second++) {
    assert.equal((await looking.look()).state, 'Installed')
    looking.advance(1_000)
  }
  assert.equal(looking.asked.length, 4)
  answer = gone
  looking.advance(1_000)
  assert.equal((await looking.look()).state, 'Missing')
})

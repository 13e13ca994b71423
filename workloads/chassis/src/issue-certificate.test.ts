import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { identityOf, identityUri } from './certificate-identity.ts'
import { issueAuthority, issueCertificate } from './issue-certificate.ts'

const HOUR_US = 3_600_000_000
const NOW_US = Date.UTC(2026, 0, 1) * 1_000
const validity = { fromUs: NOW_US, untilUs: NOW_US + 24 * HOUR_US }
const identity = { namespace: 'apps', cluster: 'demo', role: 'hot-tier' } as const

test('an authority signs itself and its leaves, and leaves nobody', () => {
  const authority = issueAuthority(validity)
  const other = new X509Certificate(issueAuthority(validity).certificatePem)
  const root = new X509Certificate(authority.certificatePem)
  const leaf = new X509Certificate(
    issueCertificate(authority, { identity, dnsNames: ['demo-hot-tier.apps.svc'], validity }).certificatePem,
  )
  assert.deepEqual([root.ca, leaf.ca], [true, false])
  assert.ok(root.verify(root.publicKey) && root.checkIssued(root))
  assert.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root))
  assert.ok(!leaf.verify(other.publicKey) && !leaf.checkIssued(other))
  assert.notEqual(root.subject, other.subject)
})

test('a leaf says who it is, where it may be reached and how long it holds', () => {
  const { certificatePem, keyPem } = issueCertificate(issueAuthority(validity), {
    identity,
    dnsNames: ['demo-hot-tier.apps.svc', '*.demo-hot-tier.apps.svc'],
    validity,
  })
  const leaf = new X509Certificate(certificatePem)
  assert.ok(leaf.checkPrivateKey(createPrivateKey(keyPem)))
  assert.deepEqual(identityOf(leaf), identity)
  assert.equal(leaf.checkHost('demo-hot-tier.apps.svc'), 'demo-hot-tier.apps.svc')
  assert.equal(leaf.checkHost('demo-hot-tier-0.demo-hot-tier.apps.svc'), '*.demo-hot-tier.apps.svc')
  assert.equal(leaf.checkHost('demo-query.apps.svc'), undefined)
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  assert.deepEqual(
    [Date.parse(leaf.validFrom) * 1_000, Date.parse(leaf.validTo) * 1_000],
    [validity.fromUs, validity.untilUs],
  )
})

test('any name that Kubernetes allows, and any year that counts, comes back as it was', () => {
  const authority = issueAuthority({ fromUs: NOW_US, untilUs: NOW_US + 24 * HOUR_US })
  const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/)
  const untilUs = fc.integer({ min: 1, max: 60 * 365 * 24 * 3_600 }).map((seconds) => NOW_US + seconds * 1e6)
  fc.assert(
    fc.property(label, label, untilUs, (namespace, cluster, until) => {
      const dnsNames = [`${cluster}-query.${namespace}.svc`]
      const whose = { namespace, cluster, role: 'query' } as const
      const { certificatePem } = issueCertificate(authority, {
        identity: whose,
        dnsNames,
        validity: { fromUs: NOW_US, untilUs: until },
      })
      const leaf = new X509Certificate(certificatePem)
      assert.deepEqual(identityOf(leaf), whose)
      assert.equal(leaf.subjectAltName, `DNS:${dnsNames[0]}, URI:${identityUri(whose)}`)
      assert.equal(Date.parse(leaf.validTo) * 1_000, until)
    }),
    { numRuns: 50 },
  )
})

test('what is no role of a cluster is nobody', () => {
  const authority = issueAuthority(validity)
  assert.equal(identityOf(new X509Certificate(authority.certificatePem)), undefined)
  for (const cluster of ['', 'demo/x']) {
    const odd = issueCertificate(authority, { identity: { ...identity, cluster }, dnsNames: [], validity })
    assert.equal(identityOf(new X509Certificate(odd.certificatePem)), undefined, cluster)
  }
  const dns = issueCertificate(authority, {
    identity: { namespace: 'a', cluster: 'b', role: 'nobody' as 'query' },
    dnsNames: [`x, URI:${identityUri(identity)}`],
    validity,
  })
  assert.equal(identityOf(new X509Certificate(dns.certificatePem)), undefined)
})

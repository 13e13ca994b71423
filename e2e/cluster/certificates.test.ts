import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateExtensions, clusterCertificates } from './certificates.ts'

const named = (name: string) => {
  const certificate = clusterCertificates.find((candidate) => candidate.name === name)
  assert.ok(certificate, name)
  return certificate
}

test('certificates: the API server answers to every name it is called by', () => {
  assert.deepEqual(certificateExtensions(named('apiserver')), [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth',
    'subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,' +
      'DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:10.243.0.1,IP:10.96.0.1',
  ])
})

test('certificates: the kubelet is its node, which the Node authorizer asks for', () => {
  assert.equal(named('kubelet').subject, '/O=system:nodes/CN=system:node:truenow')
})

test('certificates: only people and the API server itself are masters', () => {
  const masters = clusterCertificates.filter(({ subject }) => subject.includes('O=system:masters'))
  assert.deepEqual(masters.map(({ name }) => name).sort(), ['admin', 'apiserver-kubelet'])
})

test('certificates: clients carry no names of hosts', () => {
  for (const certificate of clusterCertificates.filter(({ usage }) => usage === 'clientAuth')) {
    assert.ok(!certificateExtensions(certificate).some((extension) => extension.startsWith('subjectAltName')))
  }
})

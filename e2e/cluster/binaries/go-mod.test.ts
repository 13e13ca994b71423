import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { coreDnsImageName } from '../images/coredns-image.ts'
import { kubernetesVersion } from './kubernetes-version.ts'

const goMod = readFileSync(join(import.meta.dirname, 'go.mod'), 'utf8')
const staging = [...goMod.matchAll(/^\t(k8s\.io\/\S+) => (\S+) (\S+)$/gm)]

test('go.mod: Kubernetes is the version that the cluster says it is', () => {
  assert.match(goMod, new RegExp(`^\\s*k8s\\.io/kubernetes ${kubernetesVersion}\\b`, 'm'))
})

test('go.mod: all 31 staging modules are replaced by themselves at the matching version', () => {
  assert.equal(staging.length, 31)
  for (const [, from, to, version] of staging) {
    assert.equal(from, to)
    assert.equal(version, kubernetesVersion.replace('v1.', 'v0.'), from)
  }
})

test('go.mod: CoreDNS is the version that its image names', () => {
  const version = /coredns\/coredns v(\S+)/.exec(goMod)?.[1]
  assert.equal(coreDnsImageName, `localhost/truenow-coredns:${version}`)
})

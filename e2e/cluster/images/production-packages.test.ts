import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Lockfile, productionPackages } from './production-packages.ts'

const lockfile: Lockfile = {
  packages: {
    'workloads/a': { dependencies: { '@us/b': '*', left: '1' } },
    'workloads/b': { dependencies: { left: '2' } },
    'node_modules/@us/b': { link: true, resolved: 'workloads/b' },
    'node_modules/left': { dependencies: { right: '1' }, peerDependencies: { peer: '*', extra: '*' } },
    'workloads/b/node_modules/left': { dependencies: { right: '1' } },
    'node_modules/right': {},
    'workloads/b/node_modules/left/node_modules/right': {},
    'node_modules/peer': {},
    'node_modules/only-in-development': {},
  },
}

test('productionPackages: follows links, nested versions and peers, and takes nothing else', () => {
  assert.deepEqual(productionPackages(lockfile, ['workloads/a']), [
    'node_modules/@us/b',
    'node_modules/left',
    'node_modules/peer',
    'node_modules/right',
    'workloads/a',
    'workloads/b',
    'workloads/b/node_modules/left',
    'workloads/b/node_modules/left/node_modules/right',
  ])
})

test('productionPackages: a dependency that the lockfile lacks is named', () => {
  const torn = { packages: { 'workloads/a': { dependencies: { gone: '1' } } } }
  assert.throws(() => productionPackages(torn, ['workloads/a']), /workloads\/a needs gone/)
  assert.throws(() => productionPackages(torn, ['workloads/z']), /no 'workloads\/z'; run npm install/)
})

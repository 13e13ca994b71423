import assert from 'node:assert/strict'
import { test } from 'node:test'
import { containerfile } from './build-image.ts'
import { contentHash } from './content-hash.ts'

test('containerfile: every image runs as 65532 from an empty root', () => {
  const recipe = {
    name: 'n',
    key: 'k',
    fill: async () => {},
    entrypoint: ['/a', 'b c'],
    environment: { A: 'x "y"' },
  }
  assert.deepEqual(containerfile(recipe).split('\n'), [
    'FROM scratch',
    'COPY . /',
    'ENV A="x \\"y\\""',
    'WORKDIR /',
    'USER 65532:65532',
    'ENTRYPOINT ["/a","b c"]',
    '',
  ])
})

test('contentHash: moving a border between two parts changes it', () => {
  assert.notEqual(contentHash(['ab', 'c']), contentHash(['a', 'bc']))
  assert.equal(contentHash(['ab', 'c']), contentHash([Buffer.from('ab'), 'c']))
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'
import { ERROR_CODES } from '@truenow/contracts/errors.ts'
import { ROLE_PORTS } from '@truenow/contracts/ports.ts'

/*
 * The house rules that a machine can see and that neither tsc, biome nor the import rules look at. It reads what git
 * tracks (or would track), so a stray build folder does not matter.
 */
const root = import.meta.dirname
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(`${root}/${file}`))
const read = (file: string): string => readFileSync(`${root}/${file}`, 'utf8')
const generated = (file: string): boolean => file.includes('/src/gen/') || file.includes('/golden/')
const source = files.filter((file) => file.endsWith('.ts') && !generated(file))
const none = (found: readonly string[], rule: string): void => assert.deepEqual(found, [], rule)

test('tidy: the tree is seen at all', () => {
  assert.ok(source.length > 100, `only ${source.length} source files`)
})

test('tidy: no drawer files; a file is named after its export', () => {
  const drawers = /^(utils?|helpers?|common|types|misc|shared|index)\.ts$/
  none(
    source.filter((file) => drawers.test(basename(file))),
    'name the file after what it exports',
  )
})

test('tidy: file names are kebab-case', () => {
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|bench|cases|d))?\.ts$/
  none(
    source.filter((file) => !kebab.test(basename(file))),
    'kebab-case names',
  )
})

test('tidy: every role has its room: README, role, config, metrics', () => {
  const missing = Object.keys(ROLE_PORTS).flatMap((role) => {
    const folder = role === 'operator' ? 'operator' : `workloads/${role}`
    return ['README.md', 'package.json', 'src/role.ts', 'src/config.ts', 'src/metrics.ts']
      .map((name) => `${folder}/${name}`)
      .filter((path) => !files.includes(path))
  })
  none(missing, 'each role is built alike')
})

const GRPC_STATUSES: Readonly<Record<number, string>> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  11: 'OUT_OF_RANGE',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  15: 'DATA_LOSS',
}

test('tidy: docs/errors.md lists exactly the codes of the registry, with their statuses', () => {
  const row = /^\| `(TN_[A-Z_]+)` \| (\d{3}) \| ([A-Z_]+) \| (yes|no) \|/gm
  const documented = [...read('docs/errors.md').matchAll(row)].map(([, code, http, grpc, again]) =>
    [code, http, grpc, again].join(' '),
  )
  const registered = Object.entries(ERROR_CODES).map(([code, { statusCode, grpcStatus, retriable }]) =>
    [code, statusCode, GRPC_STATUSES[grpcStatus], retriable ? 'yes' : 'no'].join(' '),
  )
  assert.deepEqual(documented.toSorted(), registered.toSorted())
})

test('tidy: every error code is thrown or answered somewhere', () => {
  const text = source
    .filter((file) => !file.endsWith('contracts/src/errors.ts') && !file.endsWith('.test.ts'))
    .map(read)
    .join('\n')
  none(
    Object.keys(ERROR_CODES).filter((code) => !text.includes(`'${code}'`)),
    'delete codes that nothing uses',
  )
})

test('tidy: the index of the kernels names each of their files', () => {
  const index = read('workloads/kernels/README.md')
  const kernels = source.filter((file) =>
    /^workloads\/kernels\/src\/(?!.*\/testing\/).*(?<!\.(test|bench))\.ts$/.test(file),
  )
  none(
    kernels.filter((file) => !index.includes(`](${file.slice('workloads/kernels/'.length)})`)),
    'say what it is, where it is from, what it costs',
  )
})

test('tidy: nothing hollow: no focused, skipped or unfinished test, no silenced compiler', () => {
  const hollow = /\b(test|it|describe)\.(only|skip|todo)\b|@ts-(ignore|nocheck)|\bTODO\b|\bFIXME\b/
  none(
    source.filter((file) => file !== 'tidy.test.ts' && hollow.test(read(file))),
    'finish it or say why in words',
  )
})

test('tidy: no address of a package registry or of this machine in any file', () => {
  const hosts =
    /registry\.(npmjs|yarnpkg)\.|proxy\.golang\.|repo1?\.maven\.|deb\.debian\.|static\.crates\.|pypi\.org/
  const text = files.filter((file) => !/\.(png|bin|zip)$/.test(file) && file !== 'tidy.test.ts')
  none(
    text.filter((file) => hosts.test(read(file))),
    'name packages, never hosts',
  )
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { resolved?: string }> }
  none(
    Object.values(lock.packages).flatMap(({ resolved }) => (resolved?.includes('://') ? [resolved] : [])),
    'the lockfile carries no download address (.npmrc: omit-lockfile-registry-resolved)',
  )
})

test('tidy: process.env is read by entry points and tests only', () => {
  const allowed = (file: string) =>
    /(\.test\.ts|\/test\/|^e2e\/|\/main\.ts$|^cdk8s\/|\/testing\/|\.bench\.ts|^charts\/)/.test(file) ||
    file === 'tidy.test.ts'
  none(
    source.filter((file) => !allowed(file) && read(file).includes('process.env')),
    'configuration is an argument',
  )
})

test('tidy: links between our documents lead somewhere', () => {
  const broken = files
    .filter((file) => file.endsWith('.md') && !generated(file))
    .flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
        .map((match) => new URL(match[1] ?? '', `file://${root}/${file}`).pathname)
        .filter((path) => !existsSync(path))
        .map((path) => `${file} → ${path}`),
    )
  none(broken, 'mend or delete the link')
})

test('tidy: every test that a page calls a proof is there', () => {
  const proofs = ['docs/resiliency.md', 'docs/operator-capabilities.md'].flatMap((page) => {
    const found = [...read(page).matchAll(/\]\(\.\.\/(\S+\.ts)\) "([^"]+)"/g)]
    assert.ok(found.length >= 8, `only ${found.length} proofs on ${page}`)
    return found
  })
  none(
    proofs.flatMap(([, file = '', name = '']) =>
      files.includes(file) && read(file).includes(name) ? [] : [`${file}: ${name}`],
    ),
    'a promise without its test is a claim',
  )
})

test('tidy: every make target that a document names is there', () => {
  const targets = new Set([...read('Makefile').matchAll(/^([a-z0-9-]+):.*## /gm)].map((match) => match[1]))
  const named = [
    'README.md',
    'CONTRIBUTING.md',
    ...files.filter((file) => /^docs\/.*\.md$/.test(file)),
  ].flatMap((file) =>
    [...read(file).matchAll(/`make ([a-z][a-z0-9-]*)/g)]
      .map((match) => match[1])
      .filter((name) => !targets.has(name))
      .map((name) => `${file}: make ${name}`),
  )
  none(named, 'document what exists')
})

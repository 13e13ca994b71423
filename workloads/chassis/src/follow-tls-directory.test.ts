import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { followTlsDirectory } from './follow-tls-directory.ts'
import { issueFiles, makeAuthority } from './testing/issue-files.ts'
import type { TlsFiles } from './tls-credentials.ts'

/** A volume as the kubelet keeps it: files are links into `..data`, itself a link that it turns to a directory just written. */
const never = (error: unknown) => assert.fail(String(error))

function makeVolume(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-tls-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  let version = 0
  const write = ({ certificate, key, trust, phase }: TlsFiles) => {
    version += 1
    const place = join(directory, `..${version}`)
    mkdirSync(place)
    const files = { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': trust, phase }
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(place, name), content)
      if (version === 1) symlinkSync(join('..data', name), join(directory, name))
    }
    symlinkSync(`..${version}`, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  return { directory, write }
}

test('the certificates of a volume are followed; what does not fit is told once and the last that did is kept', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const authority = makeAuthority()
  const first = issueFiles(authority, 'query', { phase: 'accept' })
  const second = issueFiles(authority, 'query', { phase: 'use' })
  const { directory, write } = makeVolume(t)
  write(first)
  const problems: string[] = []
  const followed = followTlsDirectory(directory, (error) => problems.push(String(error)))
  t.after(followed.close)
  const phases: string[] = []
  followed.onChange(({ phase }) => phases.push(phase))
  assert.deepEqual(followed.current()?.identity, { namespace: 'apps', cluster: 'demo', role: 'query' })
  t.mock.timers.tick(3_000)
  write({ ...second, key: first.key })
  t.mock.timers.tick(3_000)
  assert.equal(followed.current()?.phase, 'accept')
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /tls\.key is not the key of tls\.crt/)
  write(second)
  t.mock.timers.tick(1_000)
  assert.deepEqual([phases, followed.current()?.phase, problems.length], [['use'], 'use', 1])
})

test('files that do not fit are told by name and never by content', (t) => {
  const authority = makeAuthority()
  const good = issueFiles(authority, 'query')
  const cases: ReadonlyArray<[Partial<TlsFiles>, RegExp]> = [
    [{ certificate: '' }, /tls\.crt holds no certificate/],
    [{ certificate: 'secret' }, /tls\.crt holds no certificate/],
    [{ certificate: good.certificate.replace(/\n.{10}/, '\nAAAAAAAAAA') }, /tls\.crt cannot be read as PEM/],
    [{ key: 'secret' }, /tls\.key cannot be read as PEM/],
    [{ trust: issueFiles(makeAuthority(), 'query').trust }, /ca\.crt does not hold the authority/],
    [{ certificate: authority.certificatePem, key: authority.keyPem }, /tls\.crt names no role/],
    [{ phase: 'secret' }, /phase is none of accept, use, require/],
  ]
  for (const [wrong, message] of cases) {
    const { directory, write } = makeVolume(t)
    write({ ...good, ...wrong })
    assert.throws(
      () => followTlsDirectory(directory, never),
      (error: Error) => {
        assert.match(error.message, message)
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret\b(?! and)/)
        return true
      },
    )
  }
  assert.throws(() => followTlsDirectory('/nowhere', never), /\/nowhere cannot be read; mount a Secret/)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLdd } from './copy-program.ts'

test('parseLdd: libraries and the loader by path, not what the kernel maps in', () => {
  const answer = [
    '\tlinux-vdso.so.1 (0x00007ffc0)',
    '\tlibdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x00007f1)',
    '\tlibx.so.1 => /a checkout/with (blanks)/libx.so.1 (0x00007f1)',
    '\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)',
  ].join('\n')
  assert.deepEqual(parseLdd(answer, 'p'), [
    '/lib/x86_64-linux-gnu/libdl.so.2',
    '/a checkout/with (blanks)/libx.so.1',
    '/lib64/ld-linux-x86-64.so.2',
  ])
})

test('parseLdd: a missing library is named, with the file to repair', () => {
  assert.throws(
    () => parseLdd('\tliblzf.so.1 => not found', 'redis'),
    /redis needs liblzf.so.1: add .*package-sets/,
  )
})

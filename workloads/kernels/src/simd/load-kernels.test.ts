import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadKernels } from './load-kernels.ts'
import { referenceKernels } from './reference-kernels.ts'

const bytes = readFileSync(new URL('../gen/kernels.wasm', import.meta.url))
const makeMemory = () => new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true })

/** Numbers of the sections of a module (WebAssembly core specification 2.0, 5.5.2). */
function sectionsOf(module: Uint8Array): number[] {
  const sections: number[] = []
  for (let at = 8; at < module.length; ) {
    sections.push(module[at++]!)
    let [size, shift] = [0, 0]
    for (let more = true; more; shift += 7) {
      const byte = module[at++]!
      size += (byte & 0x7f) * 2 ** shift
      more = byte >= 0x80
    }
    at += size
  }
  return sections
}

test('kernels.wasm: no state of its own: only functions, over a memory that is given', () => {
  const [TYPE, IMPORT, FUNCTION, EXPORT, CODE] = [1, 2, 3, 7, 10]
  assert.deepEqual(
    sectionsOf(bytes).filter((section) => section !== 0), // Custom: names for debuggers.
    [TYPE, IMPORT, FUNCTION, EXPORT, CODE], // No table (4), memory (5), global (6), start (8), element (9) or data (11).
  )
  const module = new WebAssembly.Module(bytes)
  assert.deepEqual(WebAssembly.Module.imports(module), [{ module: 'env', name: 'memory', kind: 'memory' }])
  assert.ok(WebAssembly.Module.exports(module).every(({ kind }) => kind === 'function'))
})

test('loadKernels: every kernel has its twin', () => {
  const [ours, twins] = [loadKernels(makeMemory()), referenceKernels(makeMemory())]
  assert.deepEqual(Object.keys(ours).toSorted(), Object.keys(twins).toSorted())
})

test('loadKernels: both forms see pages that were added later', () => {
  for (const make of [loadKernels, referenceKernels]) {
    const memory = makeMemory()
    const kernels = make(memory)
    kernels.bitmapFill(9, 1_024)
    memory.grow(1)
    kernels.bitmapFill(9, 65_536 + 1_024)
    assert.equal(kernels.bitmapCount(65_536 + 1_024, 9), 9)
    assert.equal(new Uint8Array(memory.buffer)[65_536 + 1_025], 1)
  }
})

test('loadKernels: memories are apart', () => {
  const [one, other] = [makeMemory(), makeMemory()]
  loadKernels(one).bitmapFill(9, 1_024)
  assert.equal(loadKernels(other).bitmapCount(1_024, 9), 0)
})

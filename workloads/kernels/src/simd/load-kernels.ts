import { readFileSync } from 'node:fs'
import type { Kernels } from './kernels.ts'

let compiled: WebAssembly.Module | undefined

/**
 * The WebAssembly kernels over `memory`, which must be shared, of at most 65,536 pages. Compiled once a process and
 * instantiated once a memory: a worker thread calls this at its start. The one place in this package that reads a
 * file, its own code: `gen/kernels.wasm`, written by `make generate` from `assembly/`.
 */
export function loadKernels(memory: WebAssembly.Memory): Kernels {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('../gen/kernels.wasm', import.meta.url)))
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as Kernels
}

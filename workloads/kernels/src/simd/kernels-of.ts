import type { Arena } from '../columns/arena.ts'
import type { Kernels } from './kernels.ts'
import { loadKernels } from './load-kernels.ts'
import { referenceKernels } from './reference-kernels.ts'

const byArena = new WeakMap<Arena, Kernels>()

/** The kernels over an arena's memory: WebAssembly where the memory is one, else their twins. */
export function kernelsOf(arena: Arena): Kernels {
  let kernels = byArena.get(arena)
  if (kernels === undefined) {
    const { memory } = arena
    kernels = memory instanceof WebAssembly.Memory ? loadKernels(memory) : referenceKernels(memory)
    byArena.set(arena, kernels)
  }
  return kernels
}

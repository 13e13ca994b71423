import { fsyncSync } from 'node:fs'
import type { Sync } from '../src/volume-run-files.ts'
import { type WriteFile, writeDurably } from '../src/write-durably.ts'

export type FaultyDisk = ReturnType<typeof createFaultyDisk>
const FULL = 0
const BROKEN = 1
/** Number of the worker that dies, stands still or fills its heap, and one; 0 = none. */
const DYING = 2
const HELD = 3
const HUNGRY = 4
const BITE = 100_000

/**
 * A volume that is full, or fails to sync, while its switch says so; threads that share the switches share the volume. In a
 * worker thread `obey` also lets it die, stand still in the midst of its work, or hold more and more.
 */
export function createFaultyDisk(switches: Int32Array = new Int32Array(new SharedArrayBuffer(20))) {
  const fail = (code: string, message: string) => Object.assign(new Error(`${code}: ${message}`), { code })
  const writeFile: WriteFile = (path, bytes) => {
    if (Atomics.load(switches, FULL) === 1) throw fail('ENOSPC', 'no space left on device, write')
    writeDurably(path, bytes)
  }
  const sync: Sync = (file) => {
    if (Atomics.load(switches, BROKEN) === 1) throw fail('EIO', 'i/o error, fsync')
    fsyncSync(file)
  }
  const eaten: unknown[] = []
  const set = (which: number, on: boolean) => void Atomics.store(switches, which, on ? 1 : 0)
  return {
    switches,
    writeFile,
    sync,
    setFull: (on: boolean) => set(FULL, on),
    /** Called from time to time by worker `worker`. */
    obey: (worker: number) => {
      if (Atomics.load(switches, DYING) === worker + 1) throw new Error('the test lets this worker die')
      if (Atomics.load(switches, HUNGRY) === worker + 1) eaten.push(Array.from({ length: BITE }, (_, at) => ({ at }))) // biome-ignore format: one line
      while (Atomics.load(switches, HELD) === worker + 1) Atomics.wait(switches, HELD, worker + 1)
    },
    letDie: (worker: number) => void Atomics.store(switches, DYING, worker + 1),
    letEat: (worker: number) => void Atomics.store(switches, HUNGRY, worker + 1),
    hold: (worker: number) => void Atomics.store(switches, HELD, worker + 1),
    release: () => {
      Atomics.store(switches, HELD, 0)
      Atomics.notify(switches, HELD)
    },
    setBroken: (on: boolean) => set(BROKEN, on),
  }
}

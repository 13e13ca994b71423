import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Mutation } from './mutations.ts'

export type Survived = Readonly<{
  caught: boolean
  /** Statements that were answered right before the first wrong one, or in all. */
  queries: number
  /** What was wrong, in a line. */
  why: string
}>

/**
 * Runs the oracle over the program with one mistake in it, in a process of its own, until a statement is answered wrong or
 * `queries` were not. Errors: the mistake has no place any more (its line changed: write it anew), or the run could not begin.
 */
export function survive(mutation: Mutation, seed: number, queries: number): Promise<Survived> {
  const program = fileURLToPath(new URL('./run-mutated.ts', import.meta.url))
  const argv = [program, JSON.stringify(mutation), String(seed), String(queries)]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, argv, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const [, text] = /^survived (.*)$/m.exec(stdout) ?? []
      if (text !== undefined) resolve(JSON.parse(text) as Survived)
      else reject(new Error(`${mutation.name}: ${stderr.slice(-2_000)}`, { cause: error }))
    })
  })
}

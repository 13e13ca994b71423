import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import type { Mutation } from './mutations.ts'
import type { Survived } from './survive.ts'

/* The process of survive.ts: the text of one module is changed as it is loaded, then the oracle runs over what was loaded. */
const [mutationText = '', seed, queries] = process.argv.slice(2)
const { file, from, to } = JSON.parse(mutationText) as Mutation

let applied = 0
registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith(`/${file}`)) return loaded
    const text = Buffer.from(loaded.source as Uint8Array).toString('utf8')
    assert.equal(text.split(from).length, 2, `${file} does not hold "${from}" once: write the mutation anew`)
    applied += 1
    return { ...loaded, source: text.replace(from, () => to) }
  },
})
const { judgeMany, WrongAnswer } = await import('./judge-many.ts')
assert.equal(applied, 1, `${file} was not loaded`)

let told = 0
const survived = await judgeMany(Number(seed), Number(queries), {
  shrinks: false,
  onTable: (tally) => {
    told = tally.queries
  },
}).then(
  (tally): Survived => ({ caught: false, queries: tally.queries, why: '' }),
  (error: Error): Survived => {
    if (!(error instanceof WrongAnswer)) throw error
    return { caught: true, queries: told, why: whyOf(error) }
  },
)
console.log(`survived ${JSON.stringify(survived)}`)

/** The first line of what was found. */
function whyOf(error: Error): string {
  const { cause } = error as { cause?: unknown }
  return String((cause instanceof Error ? cause : error).message)
    .split('\n')[0]!
    .slice(0, 300)
}

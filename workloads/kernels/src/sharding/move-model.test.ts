import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MOVE_GUARDS, type MoveGuards } from './move-protocol.ts'
import { searchMoves } from './testing/move-model.ts'
import { MOVE_SCENARIOS, SHOWS_WITHOUT, withoutGuard } from './testing/move-scenarios.ts'

for (const scenario of MOVE_SCENARIOS) {
  test(`the move protocol, every order of events: ${scenario.name}`, () => {
    const { violation, stuck, ends, states } = searchMoves(scenario, MOVE_GUARDS)
    assert.deepEqual(violation, undefined)
    assert.equal(stuck, 0, `${stuck} of ${states} states never come to rest`)
    assert.ok(ends.Done > 0 && ends.Cancelled > 0, `${JSON.stringify(ends)}: moves end both ways`)
  })
}

/** A check that cannot fail is no check: without any one of its guards the protocol must be found to be wrong. */
for (const [name, shows] of Object.entries(SHOWS_WITHOUT)) {
  test(`the move protocol without ${name} is found to be wrong: ${shows}`, () => {
    const scenario = MOVE_SCENARIOS.find((one) => one.name === shows)
    assert.ok(scenario !== undefined, `there is no scenario '${shows}'`)
    const { violation } = searchMoves(scenario, withoutGuard(MOVE_GUARDS, name as keyof MoveGuards))
    assert.ok(violation !== undefined, `${name} guards nothing that '${shows}' can see`)
  })
}

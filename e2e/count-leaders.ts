import { setTimeout as sleep } from 'node:timers/promises'

/*
 * Asks the metrics of every address again and again whether it leads, until its standard input ends; then prints one JSON
 * object: the most that led at once, the rounds, and in how many of them one led. Runs inside the cluster's network.
 */
export type LeadersCounted = Readonly<{ leadersMax: number; rounds: number; led: number }>
const PERIOD_MS = 100
const TIMEOUT_MS = 1_000

const stopping = new AbortController()
process.stdin.on('end', () => stopping.abort()).resume()

/** One that does not answer leads nobody that could be heard of. */
async function leads(address: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    return /^truenow_operator_leading 1$/m.test(await response.text())
  } catch {
    return false
  }
}

const addresses = process.argv.slice(2)
const counted = { leadersMax: 0, rounds: 0, led: 0 }
while (!stopping.signal.aborted) {
  const leaders = (await Promise.all(addresses.map(leads))).filter(Boolean).length
  counted.leadersMax = Math.max(counted.leadersMax, leaders)
  counted.rounds += 1
  if (leaders > 0) counted.led += 1
  await sleep(PERIOD_MS)
}
console.log(JSON.stringify(counted satisfies LeadersCounted))

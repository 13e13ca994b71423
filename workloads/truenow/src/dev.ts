import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '@truenow/chassis/clock.ts'
import { createDemoEvents } from './demo-events.ts'
import { type Dev, startDev } from './start-dev.ts'

const usage = `usage: truenow dev [options]
  --port-base <n>   first of a row of ports; 0 = any free ones (default: each role's own port)
  --no-demo         no live demo data
  --log-level <l>   DEBUG, INFO, WARN (default) or ERROR; logs go to standard error`

const DEMO_SEED = 42
const DEMO_PERIOD_MS = 100
const DEMO_EVENTS_A_PERIOD = 30
const HOUR_US = 3_600_000_000
const LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const
type Level = (typeof LEVELS)[number]

/** `truenow dev`: everything in one process until Ctrl-C, which leaves nothing behind. Answers the exit code. */
export async function dev(args: readonly string[], version: string): Promise<number> {
  const options = parse(args)
  if (typeof options === 'string') {
    console.error(`${options}\n${usage}`)
    return 2
  }
  const startedMs = performance.now()
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending.signal.aborted) process.exit(130) // Asked twice: at once.
      ending.abort()
    })
  }
  const dataDirectory = await mkdtemp(join(tmpdir(), 'truenow-dev-'))
  try {
    console.log(
      `TrueNow ${version}, all roles but the operator in one process (Ctrl-C ends it and leaves nothing)`,
    )
    const running = await startDev({
      ...(options.portBase === undefined ? {} : { portBase: options.portBase }),
      dataDirectory,
      version,
      onStep: (step, tookMs) => console.log(`✔ ${step} (${Math.round(tookMs)} ms)`),
      log: { level: options.level, destination: process.stderr },
    })
    try {
      console.log(`✔ ready (${Math.round(performance.now() - startedMs)} ms)\n\n${instructions(running)}`)
      if (options.demo) await pumpDemo(running.gateway, ending.signal)
      else await aborted(ending.signal)
    } finally {
      await running.close()
    }
  } finally {
    await rm(dataDirectory, { recursive: true, force: true })
  }
  console.log('\n✔ stopped, nothing left behind')
  return 0
}

type Options = Readonly<{ portBase: number | undefined; demo: boolean; level: Level }>

/** The options, or what is wrong with them. */
function parse(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      allowNegative: true,
      options: {
        'port-base': { type: 'string' },
        demo: { type: 'boolean', default: true },
        'log-level': { type: 'string', default: 'WARN' },
      },
    })
    const base = values['port-base']
    if (base !== undefined && (!/^\d{1,5}$/.test(base) || Number(base) > 65_000)) {
      return `--port-base is '${base}', must be 0 to 65000.`
    }
    const level = LEVELS.find((name) => name === values['log-level'])
    if (level === undefined)
      return `--log-level is '${values['log-level']}', must be one of ${LEVELS.join(', ')}.`
    return { portBase: base === undefined ? undefined : Number(base), demo: values.demo, level }
  } catch (error) {
    return (error as Error).message
  }
}

/** Posts generated events over HTTP, as any producer would; a refused batch is said and not sent again. */
async function pumpDemo(gateway: string, signal: AbortSignal): Promise<void> {
  const next = createDemoEvents(DEMO_SEED)
  const url = `http://${gateway}/v1/namespaces/production/tables/events/events`
  while (!signal.aborted) {
    const events = next(DEMO_EVENTS_A_PERIOD, systemClock.nowUs())
    try {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(events), signal })
      const text = await response.text()
      if (!response.ok) console.error(`demo: the gateway answered ${response.status} ${text}`)
    } catch (error) {
      if (!signal.aborted) console.error(`demo: ${(error as Error).message}`)
    }
    await delay(DEMO_PERIOD_MS, undefined, { signal }).catch(() => {})
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // Something must keep the process alive when every server's handle is unref'd; it ends with the signal.
    const alive = setInterval(() => {}, 60_000)
    const done = () => {
      clearInterval(alive)
      resolve()
    }
    if (signal.aborted) done()
    else signal.addEventListener('abort', done, { once: true })
  })
}

/** Copy and paste: one event in, then the questions of the README. */
function instructions({ gateway, query, watermark }: Dev): string {
  const nowUs = systemClock.nowUs()
  const event = {
    event_id: 'my-first-event',
    event_time_us: nowUs,
    region: 'us-east',
    product: 'widget-a',
    user_id: 'u1',
    revenue: 12.5,
    items: 1,
  }
  const range = {
    start_time: nowUs - HOUR_US,
    end_time: nowUs + HOUR_US,
    namespace: 'production',
    table: 'events',
  }
  const sum = { ...range, group_by: ['region', 'product'], aggregate: 'sum', metric: 'revenue' }
  const post = (url: string, body: unknown) =>
    `  curl -sS ${url} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`
  return [
    'Post an event (again: it is counted once):',
    post(`http://${gateway}/v1/namespaces/production/tables/events/events`, event),
    'Ask for the newest rows, for those of one region and product, for sums:',
    post(`http://${query}/v1/query`, { ...range, limit: 5 }),
    post(`http://${query}/v1/query`, {
      ...range,
      limit: 5,
      filters: { region: 'us-east', product: 'widget-a' },
    }),
    post(`http://${query}/v1/query`, sum),
    'See how fresh and complete it is:',
    `  curl -sS http://${watermark}/v1/freshness`,
    '',
  ].join('\n')
}

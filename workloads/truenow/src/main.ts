import { setTimeout as delay } from 'node:timers/promises'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import manifest from '../package.json' with { type: 'json' }

/*
 * The image's entry: `truenow <role>`. The only file that reads process.env. Exit codes: 0 ended as asked, 1 failed,
 * 2 called or configured wrongly (restarting does not help).
 */
const roles = Object.keys(ROLE_PORTS)
const usage = `usage: truenow <role>      run one role; settings come from the environment (docs/configuration.md)
       truenow dev [--port-base <n>] [--no-demo]   all roles but the operator in one process, nothing else needed
       truenow check-health <url>   ask a /health address until it says healthy: 0, or 1 after ten attempts
       truenow release-finalizers <deployment>   stop that operator and let go of its objects; for helm uninstall
       truenow kubectl <command>   status, doctor, report, rebalance, pause, resume, restart; also as a kubectl plugin
       truenow --version

roles: ${roles.join(', ')}`

function fail(error: unknown): never {
  const expected = error instanceof TrueNowError
  console.error(
    JSON.stringify({
      level: 'ERROR',
      time: new Date().toISOString(),
      msg: error instanceof Error ? error.message : String(error),
      code: expected ? error.code : 'TN_INTERNAL',
      ...(expected ? {} : { stack: error instanceof Error ? error.stack : undefined }),
    }),
  )
  process.exit(expected && error.code === 'TN_CONFIG_INVALID' ? 2 : 1)
}

async function tellHealth(args: readonly string[]): Promise<number> {
  const [url = ''] = args
  if (args.length !== 1 || !/^https?:/.test(url) || !URL.canParse(url)) {
    console.error(`check-health takes one http(s) address.\n${usage}`)
    return 2
  }
  const { ATTEMPT_MS_MAX, checkHealth } = await import('./check-health.ts')
  const { healthy, line } = await checkHealth(url, { fetch, pause: delay, attemptMs: ATTEMPT_MS_MAX })
  if (healthy) console.log(line)
  else console.error(line)
  return healthy ? 0 : 1
}

async function main(command: string | undefined, rest: readonly string[]): Promise<number> {
  if (command === '--version' || command === '-v') {
    console.log(manifest.version)
    return 0
  }
  if (command === '--help' || command === '-h' || command === 'help') {
    console.log(usage)
    return 0
  }
  if (command === 'dev') return (await import('./dev.ts')).dev(rest, manifest.version)
  if (command === 'kubectl') return (await import('./kubectl.ts')).kubectl(rest)
  if (command === 'release-finalizers' && rest.length === 1) {
    const { releaseFinalizers } = await import('./release-finalizers.ts')
    return releaseFinalizers(rest[0] ?? '', process.env)
  }
  if (command === 'check-health') return tellHealth(rest)
  if (command !== undefined && roles.includes(command) && rest.length === 0) {
    const { runRole } = await import('./run-role.ts')
    return runRole(command as Role, process.env, manifest.version)
  }
  const problem = command === undefined ? 'No command.' : `Unknown command '${[command, ...rest].join(' ')}'.`
  console.error(`${problem}\n${usage}`)
  return 2
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
// exit, not exitCode: a leaked handle of a library must not keep a stopped pod alive until it is killed.
main(process.argv[2], process.argv.slice(3)).then((code) => process.exit(code), fail)

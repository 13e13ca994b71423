import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { imageUser } from '../images/image-user.ts'
import { type Claim, planVolumes, type Volume } from './plan-volumes.ts'

export type ProvisionerOptions = Readonly<{
  authority: Buffer
  certificate: Buffer
  key: Buffer
  /** Where the volumes are on the host, and where the kubelet sees them. */
  directory: string
  nodeDirectory: string
  log: (line: string) => void
}>

type Answer = Readonly<{ statusCode: number; body: string }>
const everyMs = 250
const answerMsMax = 10_000

/**
 * Makes and removes the volumes of StorageClass `local`, for ever. It lists instead of watching: two small lists
 * from the API server's memory cost next to nothing, and a list cannot stop silently as a watch can.
 */
export async function provisionVolumes(options: ProvisionerOptions): Promise<never> {
  const connection = new Agent({
    keepAlive: true,
    ca: options.authority,
    cert: options.certificate,
    key: options.key,
  })
  const ask = (method: string, path: string, body?: object) => call(connection, method, path, body)
  for (;;) {
    try {
      await provisionOnce(ask, options)
    } catch (error) {
      options.log(`volumes: ${error instanceof Error ? error.message : String(error)}`)
      await pause(1_000)
    }
    await pause(everyMs)
  }
}

async function provisionOnce(
  ask: (method: string, path: string, body?: object) => Promise<Answer>,
  { directory, nodeDirectory, log }: ProvisionerOptions,
): Promise<void> {
  const claims = await list<Claim>(ask, '/api/v1/persistentvolumeclaims')
  const volumes = await list<Volume>(ask, '/api/v1/persistentvolumes')
  const plan = planVolumes(claims, volumes, nodeDirectory)
  for (const { name, volume } of plan.create) {
    const path = join(directory, name)
    mkdirSync(path, { recursive: true })
    chownSync(path, imageUser, imageUser) // hostPath volumes ignore fsGroup,
    chmodSync(path, 0o777) // and a pod may run as somebody else.
    const { statusCode, body } = await ask('POST', '/api/v1/persistentvolumes', volume)
    if (statusCode >= 300 && statusCode !== 409) throw new Error(`create ${name}: ${statusCode} ${body}`)
    log(`volume ${name} made`)
  }
  for (const name of plan.remove) {
    rmSync(join(directory, name), { recursive: true, force: true }) // First: an object without data can be deleted later.
    const { statusCode, body } = await ask('DELETE', `/api/v1/persistentvolumes/${name}`)
    if (statusCode >= 300 && statusCode !== 404) throw new Error(`delete ${name}: ${statusCode} ${body}`)
    log(`volume ${name} removed`)
  }
}

async function list<T>(
  ask: (method: string, path: string) => Promise<Answer>,
  path: string,
): Promise<readonly T[]> {
  const { statusCode, body } = await ask('GET', `${path}?resourceVersion=0`)
  if (statusCode !== 200) throw new Error(`list ${path}: ${statusCode} ${body.slice(0, 200)}`)
  return (JSON.parse(body) as { items: T[] }).items
}

function call(agent: Agent, method: string, path: string, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ agent, method, path, host: '127.0.0.1', port: 6443, timeout: answerMsMax },
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ statusCode: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        )
      },
    )
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)))
    sent.on('error', reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms))

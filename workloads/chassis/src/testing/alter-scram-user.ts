import assert from 'node:assert/strict'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'

const API_KEY = 51
const ITERATIONS = 4_096
const MECHANISMS = {
  'SCRAM-SHA-256': { number: 1, digest: 'sha256', bytes: 32 },
  'SCRAM-SHA-512': { number: 2, digest: 'sha512', bytes: 64 },
} as const

/**
 * Gives a user of a real Kafka a SCRAM password, or another one, over a listener in plain text; kafkajs has no such request.
 * Source: AlterUserScramCredentials version 0 (KIP-554), in flexible encoding (KIP-482). Errors: AssertionError with Kafka's code.
 */
export async function alterScramUser(
  port: number,
  user: Readonly<{ name: string; password: string; mechanism?: keyof typeof MECHANISMS }>,
): Promise<void> {
  const { number, digest, bytes } = MECHANISMS[user.mechanism ?? 'SCRAM-SHA-512']
  const salt = randomBytes(24)
  const salted = pbkdf2Sync(user.password, salt, ITERATIONS, bytes, digest)
  const noTags = Buffer.of(0)
  const header = Buffer.concat([int16(API_KEY), int16(0), int32(1), int16(-1), noTags])
  const upsertion = [compact(Buffer.from(user.name)), Buffer.of(number), int32(ITERATIONS)]
  const body = Buffer.concat([Buffer.of(1, 2), ...upsertion, compact(salt), compact(salted), noTags, noTags])
  const socket = connect(port, '127.0.0.1')
  socket.end(Buffer.concat([int32(header.length + body.length), header, body]))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  // Size, correlation, tags, throttle time, length of the results and of the user's name; then the name, then the code.
  const code = answer.readInt16BE(4 + 4 + 1 + 4 + 1 + 1 + Buffer.byteLength(user.name))
  assert.equal(code, 0, `Kafka refused the user: error code ${code}`)
}

const int16 = (value: number) => {
  const buffer = Buffer.alloc(2)
  buffer.writeInt16BE(value)
  return buffer
}
const int32 = (value: number) => {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(value)
  return buffer
}
/** Length plus one as a varint of one octet, then the octets. */
function compact(content: Buffer): Buffer {
  assert.ok(content.length < 127)
  return Buffer.concat([Buffer.of(content.length + 1), content])
}

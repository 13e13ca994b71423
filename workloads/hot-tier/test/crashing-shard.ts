import { fold, randomLog, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { SnapshotStore } from '../src/snapshot-store.ts'
import { writeDurably } from '../src/write-durably.ts'

/*
 * A process that folds an endless log in and writes snapshots as fast as it can, until it is killed. It starts as a shard
 * does, from its volume, and says first where it stands: `<offset> <state hash> <manifests refused>`.
 */
const [directory = '', seed = '0'] = process.argv.slice(2)
const [first] = VERSIONS as [(typeof VERSIONS)[0]]
const identity = { catalogId: 'c', incarnation: 1, table: 'production.events', uid: 'u', slot: 0 }
const ids = { limits: { recentIdsMin: 2, recentIdsMax: 24, runsMax: 3 } }
const store = new SnapshotStore(directory, identity, writeDurably, ids)
let refused = 0
const restored = store.restore(() => refused++)
if (restored === undefined) store.remove()
const replica = restored ?? store.createReplica(first)
process.stdout.write(`${replica.cursor.offset} ${replica.stateHash()} ${refused}\n`)
for (const record of randomLog(Number(seed))) {
  if (record.at.offset <= replica.cursor.offset) continue
  fold(replica, record)
  if (record.at.offset % 3 === 0) store.write(replica)
}

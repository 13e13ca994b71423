import { createFaultyDisk } from './faulty-disk.ts'
import { startShardScene } from './shard-scene.ts'

/* A process that is a whole shard, whose worker holds more and more until its heap is at its limit. Its log is standard output. Argument: its directory. */
const disk = createFaultyDisk()
const [directory = ''] = process.argv.slice(2)
await startShardScene({
  directory,
  disk,
  endsItself: true,
  environment: { TRUENOW_HOT_TIER_WORKERS: '1', HOT_TIER_MEMORY_GB: '0.3' },
})
disk.letEat(0)

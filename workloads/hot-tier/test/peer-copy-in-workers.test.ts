/* Every test of peer copy once more, with two worker threads on each side. */
process.env.WORKERS = '2'
await import('./peer-copy.test.ts')

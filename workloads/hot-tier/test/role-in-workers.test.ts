/* Every test of the role once more, with two worker threads. */
process.env.WORKERS = '2'
await import('./role.test.ts')

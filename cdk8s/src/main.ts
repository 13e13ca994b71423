import { fileURLToPath } from 'node:url'
import { App, YamlOutputType } from 'cdk8s'
import { Quickstart } from './quickstart.ts'

/** `node cdk8s/src/main.ts` writes cdk8s/dist/quickstart.yaml; the password is for development and says so. */
const app = new App({
  outdir: fileURLToPath(new URL('../dist', import.meta.url)),
  outputFileExtension: '.yaml',
  yamlOutputType: YamlOutputType.FILE_PER_CHART,
})
new Quickstart(app, 'quickstart', {
  namespace: 'quickstart',
  cluster: 'demo',
  kafkaImage: 'localhost/truenow-kafka:4.1.1',
  postgresImage: 'localhost/truenow-postgres:15',
  redisImage: 'localhost/truenow-redis:7',
  postgresPassword: 'for-development-only',
})
app.synth()

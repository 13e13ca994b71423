import { readFileSync } from 'node:fs'
import { endInterruptedInstall } from './end-interrupted-install.ts'
import type { Progress } from './progress.ts'
import { helm, kubectl, type Target } from './target.ts'

export const OPERATOR_NAMESPACE = 'truenow-system'
export const RELEASE = 'truenow'
/** Names of the quickstart (cdk8s/src/main.ts). */
export const QUICKSTART = {
  namespace: 'quickstart',
  cluster: 'demo',
  tables: [
    { namespace: 'production', table: 'events', object: 'events' },
    { namespace: 'staging', table: 'events', object: 'staging-events' },
  ],
} as const

/** Installs the chart with real helm and waits for the operator; again is an upgrade to the same. */
export async function installOperator(
  target: Target,
  root: string,
  image: string,
  progress: Progress,
): Promise<void> {
  const split = image.lastIndexOf(':')
  const [repository, tag] = [image.slice(0, split), image.slice(split + 1)]
  await progress('chart installed, operator ready', async () => {
    await endInterruptedInstall(target, OPERATOR_NAMESPACE, RELEASE)
    await helm(target, [
      ...[
        'upgrade',
        '--install',
        RELEASE,
        `${root}/charts/truenow`,
        '--namespace',
        OPERATOR_NAMESPACE,
        '--create-namespace',
      ],
      ...[
        '--set',
        `image.repository=${repository}`,
        '--set-string',
        `image.tag=${tag}`,
        '--wait',
        '--timeout',
        '180s',
      ],
    ])
    const label = 'pod-security.kubernetes.io/enforce=restricted'
    await kubectl(target, ['label', 'namespace', OPERATOR_NAMESPACE, label, '--overwrite'])
  })
}

/** Applies the quickstart and waits until cluster and tables are Ready. */
export async function applyQuickstart(target: Target, root: string, progress: Progress): Promise<void> {
  const { namespace, cluster, tables } = QUICKSTART
  await progress('quickstart applied', () =>
    kubectl(target, ['apply', '-f', '-'], readFileSync(`${root}/cdk8s/dist/quickstart.yaml`, 'utf8')),
  )
  const wait = (object: string) =>
    kubectl(target, ['-n', namespace, 'wait', '--for=condition=Ready', object, '--timeout=240s'])
  await progress('cluster and tables Ready', async () => {
    await wait(`truenowcluster/${cluster}`)
    for (const { object } of tables) await wait(`table/${object}`)
  })
}

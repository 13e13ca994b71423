import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { attachCluster, type Cluster, startCluster } from './cluster/cluster.ts'
import { defaultInstance } from './cluster/instance-layout.ts'
import { applyQuickstart, installOperator } from './install-truenow.ts'
import { loadImages } from './load-images.ts'
import { createProgress } from './progress.ts'

export const root: string = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
/** TRUENOW_TEST_INSTANCE names a cluster that stands already, to run one file by hand while writing it. */
export const TEST_INSTANCE: string = process.env.TRUENOW_TEST_INSTANCE ?? defaultInstance(root, 'test')

/** A test of `make e2e` only: `make test` has a shorter one of its kind. */
export const longTest = (name: string, body: () => Promise<void>): void => {
  if (process.env.TRUENOW_E2E_LONG === '1') test(name, body)
}

/** Starts the cluster of the end-to-end stage with TrueNow and the quickstart on it; every e2e file then attaches. */
export async function startTestCluster(print: (line: string) => void): Promise<Cluster> {
  const cluster = await startCluster({ instance: TEST_INSTANCE, root, log: print, auditLog: true })
  const progress = createProgress(print)
  const image = await loadImages(cluster, progress)
  await installOperator(cluster, root, image, progress)
  await applyQuickstart(cluster, root, progress)
  return cluster
}

/** The running cluster of this stage (`make e2e` starts it before the first file and stops it after the last). */
export function testCluster(): Promise<Cluster> {
  return attachCluster(TEST_INSTANCE, root)
}

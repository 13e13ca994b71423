import { join } from 'node:path'
import type { Component } from './component.ts'

/** The scheduler: one node, but volumes that wait for their first pod need its word. */
export const kubeScheduler: Component = ({ layout, toolbox }) => {
  const kubeconfig = join(layout.configuration, 'scheduler.kubeconfig')
  return {
    files: {},
    daemon: {
      name: 'kube-scheduler',
      namespaces: 'both',
      environment: toolbox.environment,
      command: [
        join(toolbox.kubernetes, 'kube-scheduler'),
        `--kubeconfig=${kubeconfig}`,
        `--authentication-kubeconfig=${kubeconfig}`,
        `--authorization-kubeconfig=${kubeconfig}`,
        '--bind-address=127.0.0.1',
        '--leader-elect=false',
        '--profiling=false',
      ],
    },
  }
}

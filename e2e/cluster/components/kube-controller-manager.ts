import { join } from 'node:path'
import type { Component } from './component.ts'

/**
 * Those that need no node. Others would find that no kubelet reports, and take every pod away; the test plays them, and the
 * storage.
 */
const withoutNode = [
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'horizontal-pod-autoscaler-controller',
  'disruption-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'persistentvolumeclaim-protection-controller',
]

/** The controllers of Kubernetes itself, with one account each. */
export const kubeControllerManager: Component = ({ layout, toolbox, withNode }) => {
  const pki = (file: string) => join(layout.pki, file)
  const kubeconfig = join(layout.configuration, 'controller-manager.kubeconfig')
  return {
    files: {},
    daemon: {
      name: 'kube-controller-manager',
      namespaces: 'both',
      environment: toolbox.environment,
      command: [
        join(toolbox.kubernetes, 'kube-controller-manager'),
        `--kubeconfig=${kubeconfig}`,
        `--authentication-kubeconfig=${kubeconfig}`,
        `--authorization-kubeconfig=${kubeconfig}`,
        '--bind-address=127.0.0.1',
        '--leader-elect=false',
        ...(withNode
          ? []
          : [`--controllers=${withoutNode.join(',')}`, '--horizontal-pod-autoscaler-sync-period=1s']),
        '--kube-api-qps=200', // The default of 20 makes its forty controllers start over four seconds.
        '--kube-api-burst=400',
        // Of an API server that was away for longer, the only node would come out NotReady, and all endpoints with it.
        '--node-monitor-grace-period=3m',
        '--use-service-account-credentials=true',
        `--root-ca-file=${pki('ca.crt')}`,
        `--service-account-private-key-file=${pki('service-account.key')}`,
        `--cluster-signing-cert-file=${pki('ca.crt')}`,
        `--cluster-signing-key-file=${pki('ca.key')}`,
        '--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins', // It makes its default, below /usr/libexec of the host.
        '--profiling=false',
      ],
    },
  }
}

import { join } from 'node:path'
import { clusterNetwork } from '../cluster-network.ts'
import type { Component } from './component.ts'

/** Service addresses by iptables rules inside the instance's network. */
export const kubeProxy: Component = ({ layout, toolbox }) => ({
  files: {},
  daemon: {
    name: 'kube-proxy',
    namespaces: 'both',
    environment: toolbox.environment,
    command: [
      join(toolbox.kubernetes, 'kube-proxy'),
      `--kubeconfig=${join(layout.configuration, 'kube-proxy.kubeconfig')}`,
      `--hostname-override=${clusterNetwork.nodeName}`,
      '--proxy-mode=iptables',
      `--cluster-cidr=${clusterNetwork.podRange}`,
      '--iptables-min-sync-period=100ms', // One node: a Service should follow its pods at once.
      '--conntrack-max-per-core=0', // These would change settings of the whole machine.
      '--conntrack-tcp-timeout-established=0s',
      '--conntrack-tcp-timeout-close-wait=0s',
      '--oom-score-adj=0', // Lowering it needs a right that containers lack.
      '--healthz-bind-address=127.0.0.1:10256',
      '--metrics-bind-address=127.0.0.1:10249',
    ],
  },
})

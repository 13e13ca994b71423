import { join } from 'node:path'
import { clusterNetwork } from '../cluster-network.ts'
import type { Component } from './component.ts'
import { containerdSocket } from './containerd.ts'

/** The kubelet of the only node. Its pods live below the instance's control group, never beside other clusters' pods. */
export const kubelet: Component = ({ layout, toolbox, controlGroupPath }) => {
  const configuration = join(layout.configuration, 'kubelet.json')
  const resolvConf = join(layout.configuration, 'node-resolv.conf')
  const { nodeName, nodeAddress, dnsService, domain } = clusterNetwork
  return {
    files: {
      [resolvConf]: '# No uplink: only names of the cluster resolve, by CoreDNS.\n',
      [configuration]: JSON.stringify({
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        kind: 'KubeletConfiguration',
        authentication: {
          anonymous: { enabled: false },
          webhook: { enabled: true },
          x509: { clientCAFile: join(layout.pki, 'ca.crt') },
        },
        authorization: { mode: 'Webhook' },
        tlsCertFile: join(layout.pki, 'kubelet-server.crt'),
        tlsPrivateKeyFile: join(layout.pki, 'kubelet-server.key'),
        cgroupDriver: 'cgroupfs',
        cgroupRoot: controlGroupPath,
        enforceNodeAllocatable: [],
        failSwapOn: false,
        oomScoreAdj: 0,
        evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '50Mi' },
        imageGCHighThresholdPercent: 100, // Images that nobody can pull again must not be swept away.
        containerRuntimeEndpoint: `unix://${containerdSocket}`,
        resolvConf,
        clusterDNS: [dnsService],
        clusterDomain: domain,
        serializeImagePulls: false,
        syncFrequency: '10s', // A changed Secret is in its pods after so long; with the default of a minute tests wait for nothing else.
        volumePluginDir: '/var/lib/kubelet/volume-plugins', // Its default is below /usr/libexec of the host.
        healthzBindAddress: '127.0.0.1',
      }),
    },
    daemon: {
      name: 'kubelet',
      namespaces: 'both',
      environment: toolbox.environment,
      command: [
        join(toolbox.kubernetes, 'kubelet'),
        `--config=${configuration}`,
        `--kubeconfig=${join(layout.configuration, 'kubelet.kubeconfig')}`,
        `--hostname-override=${nodeName}`,
        `--node-ip=${nodeAddress}`,
        '--root-dir=/var/lib/kubelet',
      ],
    },
  }
}

import { join } from 'node:path'
import { clusterNetwork } from '../cluster-network.ts'
import { pauseImage } from '../images/pause-image.ts'
import type { Component } from './component.ts'

/** Its fixed default: the instance has a /run of its own. */
export const containerdSocket = '/run/containerd/containerd.sock'

/** containerd 1.6 with the bridge network of the pods. */
export const containerd: Component = ({ layout, toolbox, snapshotter }) => {
  const configuration = join(layout.configuration, 'containerd.toml')
  const networks = join(layout.configuration, 'network')
  return {
    files: {
      [configuration]: containerdToml(
        snapshotter,
        join(toolbox.debian, 'usr/lib/cni'),
        networks,
        join(toolbox.debian, 'usr/sbin/runc'),
      ),
      [join(networks, '10-pods.conflist')]: JSON.stringify(podNetwork),
    },
    daemon: {
      name: 'containerd',
      namespaces: 'both',
      environment: toolbox.environment,
      command: [join(toolbox.debian, 'usr/bin/containerd'), '--config', configuration],
    },
  }
}

const containerdToml = (
  snapshotter: string,
  plugins: string,
  networks: string,
  runc: string,
): string => `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${JSON.stringify(plugins)}
    conf_dir = ${JSON.stringify(networks)}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = ${JSON.stringify(runc)}
        SystemdCgroup = false
`

const podNetwork = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: clusterNetwork.podBridge,
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: clusterNetwork.podRange }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
}

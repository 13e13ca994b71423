import { join } from 'node:path'
import type { Component } from './component.ts'

/** etcd, reachable only on the loopback of the instance's network. It may lose data when the machine dies: so may we. */
export const etcd: Component = ({ layout, toolbox }) => ({
  files: {},
  daemon: {
    name: 'etcd',
    namespaces: 'both',
    environment: toolbox.environment,
    command: [
      join(toolbox.debian, 'usr/bin/etcd'),
      '--name=truenow',
      `--data-dir=${join(layout.state, 'etcd')}`,
      '--listen-client-urls=http://127.0.0.1:2379',
      '--advertise-client-urls=http://127.0.0.1:2379',
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls=http://127.0.0.1:2380',
      '--initial-cluster=truenow=http://127.0.0.1:2380',
      '--unsafe-no-fsync',
      '--auto-compaction-mode=periodic',
      '--auto-compaction-retention=30m',
      '--quota-backend-bytes=2147483648',
      '--log-level=warn',
    ],
  },
})

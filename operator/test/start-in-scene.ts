import { systemClock } from '@truenow/chassis/clock.ts'
import { createLog } from '@truenow/chassis/log.ts'
import type { RunningRole } from '@truenow/chassis/running-role.ts'
import { Registry } from 'prom-client'
import type { OperatorConfig } from '../src/config.ts'
import { type OperatorPorts, startOperator } from '../src/role.ts'
import type { Scene } from './scene.ts'

const config: OperatorConfig = {
  TRUENOW_HOST: '127.0.0.1',
  TRUENOW_HTTP_PORT: 0,
  TRUENOW_GRPC_PORT: 0,
  TRUENOW_LOG_LEVEL: 'INFO',
  TRUENOW_POD_NAME: 'operator-0',
  TRUENOW_GRACE_SECONDS: 60, // A busy machine is no reason to end by force, which says nothing in a test.
  TRUENOW_DRAIN_SECONDS: 0,
  TRUENOW_KUBERNETES_NAMESPACE: 'truenow',
  TRUENOW_CLUSTER: 'truenow',
  TRUENOW_TLS_DIRECTORY: '',
  TRUENOW_OPERATOR_NAMESPACE: 'truenow',
  TRUENOW_OPERATOR_LEASE: 'operator',
  TRUENOW_OPERATOR_IMAGE: 'truenow:1',
  TRUENOW_WATCH_NAMESPACES: '',
  TRUENOW_OPERATOR_RESYNC_SECONDS: 10,
  TRUENOW_RUNBOOKS_URL: 'https://runbooks.example',
  TRUENOW_OPERATOR_WORKERS: 8,
}

/** The whole operator, ports and all, over the Kubernetes and the control plane of a scene; `more` changes its settings. */
export function startInScene(
  { kubernetes, plane }: Readonly<{ kubernetes: Pick<Scene['kubernetes'], 'port'>; plane: Pick<Scene['plane'], 'operands'> }>, // biome-ignore format: one line
  more: Partial<OperatorConfig> = {},
  told: Readonly<{
    onLine?: (line: string) => void
    giveUp?: () => void
    registry?: Registry
    askPodTls?: OperatorPorts['askPodTls']
    leaseTimings?: OperatorPorts['leaseTimings']
  }> = {},
): Promise<RunningRole> {
  const { onLine = () => {}, giveUp = () => {}, registry = new Registry() } = told
  const { askPodTls = async () => 'plain' as const, leaseTimings } = told
  return startOperator(
    { ...config, ...more },
    {
      log: createLog({ role: 'operator', destination: { write: onLine } }),
      clock: systemClock,
      registry,
      pod: 'operator-0',
      version: '0.0.0',
    },
    {
      connectKubernetes: async () => kubernetes.port,
      operands: plane.operands,
      random: () => 0.5,
      askPodTls,
      giveUp,
      ...(leaseTimings && { leaseTimings }),
    },
  )
}

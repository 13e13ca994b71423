import { type Client, createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createTlsCredentials, type TlsCredentials } from '@truenow/chassis/tls-credentials.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { Watermark } from '@truenow/contracts/gen/truenow/v1/watermark_pb.ts'
import { ROLE_PORTS } from '@truenow/contracts/ports.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'

/** What the operator asks of the roles it runs: a part of each service, so that a test needs no more. */
export type ControlPlane = Pick<
  Client<typeof Catalog>,
  | 'putCluster'
  | 'putTable'
  | 'deleteTable'
  | 'deleteCluster'
  | 'getPlacement'
  | 'grantLeader'
  | 'planMoves'
  | 'approveMoves'
  | 'advanceMoves'
  | 'cancelMoves'
  | 'retireShards'
  | 'close'
>
export type WatermarkService = Pick<Client<typeof Watermark>, 'getFreshness' | 'close'>
export type Operands = Readonly<{
  controlPlane: (cluster: ObjectKey) => ControlPlane
  watermark: (cluster: ObjectKey) => WatermarkService
  /** By what these connections are made; empty until the operator has read its certificate of that cluster. */
  credentials: (cluster: ObjectKey) => ReturnType<typeof createTlsCredentials>
  /** Closes the connections to a cluster that is gone. */
  forget: (cluster: ObjectKey) => void
  close: () => Promise<void>
}>

/** Connections to control plane and watermark of each cluster, made when first asked for. At most two a cluster. */
export function createOperands(
  connect: Readonly<{
    controlPlane: (address: string, tls: TlsCredentials) => ControlPlane
    watermark: (address: string, tls: TlsCredentials) => WatermarkService
  }> = {
    controlPlane: (address, tls) => createGrpcClient(Catalog, address, tls),
    watermark: (address, tls) => createGrpcClient(Watermark, address, tls),
  },
): Operands {
  const controlPlanes = new Map<string, ControlPlane>()
  const watermarks = new Map<string, WatermarkService>()
  const held = new Map<string, ReturnType<typeof createTlsCredentials>>()
  const keyOf = ({ namespace, name }: ObjectKey) => `${namespace}/${name}`
  const address = ({ namespace, name }: ObjectKey, role: 'control-plane' | 'watermark') =>
    `${name}-${role}.${namespace}.svc:${ROLE_PORTS[role].grpc}`
  const ask = <Service>(open: Map<string, Service>, cluster: ObjectKey, make: () => Service): Service => {
    const key = keyOf(cluster)
    const known = open.get(key) ?? make()
    open.set(key, known)
    return known
  }
  const credentials = (cluster: ObjectKey) => ask(held, cluster, createTlsCredentials)
  return {
    controlPlane: (cluster) =>
      ask(controlPlanes, cluster, () =>
        connect.controlPlane(address(cluster, 'control-plane'), credentials(cluster)),
      ),
    watermark: (cluster) =>
      ask(watermarks, cluster, () => connect.watermark(address(cluster, 'watermark'), credentials(cluster))),
    credentials,
    forget: (cluster) => {
      const key = keyOf(cluster)
      controlPlanes.get(key)?.close()
      watermarks.get(key)?.close()
      controlPlanes.delete(key)
      watermarks.delete(key)
      held.delete(key)
    },
    close: async () => {
      for (const one of [...controlPlanes.values(), ...watermarks.values()]) one.close()
    },
  }
}

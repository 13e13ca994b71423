import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'

/** Longest path of a unix socket that Linux takes (sun_path, without the closing zero). */
const socketPathBytesMax = 107
const instancePattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/

/** Every place on the host that one instance of the local cluster uses. Nothing else is written to. */
export type InstanceLayout = Readonly<{
  /** The checkout, absolute. */
  root: string
  instance: string
  /** Unique on the machine: instance and checkout. Names the control group and the lock. */
  machineName: string
  directory: string
  logs: string
  pids: string
  pki: string
  configuration: string
  /** Bound to /var/lib/kubelet, /var/lib/containerd and so on inside the instance's mount namespace. */
  state: string
  volumes: string
  kubeconfig: string
  auditLog: string
  /** Present only once a bring-up came to its end; without it the instance is half-built. */
  readyMark: string
  relaySocketDirectory: string
  relaySocket: string
}>

/** Six characters that tell two checkouts of one machine apart. */
export const checkoutHash = (root: string): string =>
  createHash('sha256').update(resolve(root)).digest('hex').slice(0, 6)

/** Name of the instance for one purpose of one checkout: `make up` and `make test` never meet. */
export const defaultInstance = (root: string, purpose: 'up' | 'test'): string =>
  `${purpose}-${checkoutHash(root)}`

/** Places of an instance: all under `.truenow/<instance>` of the checkout, sockets in /run where that is too long. */
export function instanceLayout(root: string, instance: string): InstanceLayout {
  if (!instancePattern.test(instance)) {
    throw new Error(`instance '${instance}': 1 to 40 of a-z, 0-9 and '-'; choose another --instance`)
  }
  const checkout = resolve(root)
  const hash = checkoutHash(checkout)
  const machineName = `truenow-${instance.endsWith(hash) ? instance : `${instance}-${hash}`}`
  const directory = join(checkout, '.truenow', instance)
  const socketNear = join(directory, 'relay.sock')
  const fits = Buffer.byteLength(socketNear) <= socketPathBytesMax
  const relaySocketDirectory = fits ? directory : join('/run', machineName)
  return {
    root: checkout,
    instance,
    machineName,
    directory,
    logs: join(directory, 'logs'),
    pids: join(directory, 'pids'),
    pki: join(directory, 'pki'),
    configuration: join(directory, 'configuration'),
    state: join(directory, 'state'),
    volumes: join(directory, 'volumes'),
    kubeconfig: join(directory, 'kubeconfig'),
    auditLog: join(directory, 'logs', 'audit.log'),
    readyMark: join(directory, 'ready.json'),
    relaySocketDirectory,
    relaySocket: join(relaySocketDirectory, 'relay.sock'),
  }
}

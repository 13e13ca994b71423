import type { Daemon } from '../daemon.ts'
import type { InstanceLayout } from '../instance-layout.ts'
import type { Toolbox } from '../toolbox.ts'

/** `native` copies whole directories; only where the checkout itself lies on an overlay (in a container). */
export type Snapshotter = 'overlayfs' | 'native'

/** What a component is made from. */
export type Surroundings = Readonly<{
  layout: InstanceLayout
  toolbox: Toolbox
  controlGroupPath: string
  audit: boolean
  /** False: there is no kubelet, no scheduler and no proxy. */
  withNode: boolean
  snapshotter: Snapshotter
}>

/** A program of the cluster as a pure function of its surroundings: configuration files by path, and how to run it. */
export type Component = (
  surroundings: Surroundings,
) => Readonly<{ files: Readonly<Record<string, string>>; daemon: Daemon }>

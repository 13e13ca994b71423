import type { Daemon } from '../daemon.ts'
import type { InstanceLayout } from '../instance-layout.ts'
import type { Toolbox } from '../toolbox.ts'

/** What a component is made from. */
export type Surroundings = Readonly<{
  layout: InstanceLayout
  toolbox: Toolbox
  controlGroupPath: string
  audit: boolean
}>

/** A program of the cluster as a pure function of its surroundings: configuration files by path, and how to run it. */
export type Component = (
  surroundings: Surroundings,
) => Readonly<{ files: Readonly<Record<string, string>>; daemon: Daemon }>

import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { root } from './test-cluster.ts'

export type Manifest = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  // biome-ignore lint/suspicious/noExplicitAny: a manifest is any YAML; a test picks what it needs.
  spec: any
}

/** A fresh copy of one object of the committed quickstart manifests (cdk8s/dist), to vary and apply. */
export function quickstartObject(kind: string, name: string): Manifest {
  const all = parseAllDocuments(readFileSync(`${root}/cdk8s/dist/quickstart.yaml`, 'utf8')).map(
    (document) => document.toJS() as Manifest,
  )
  const found = all.find((object) => object.kind === kind && object.metadata.name === name)
  if (found === undefined) throw new Error(`The quickstart has no ${kind} ${name}.`)
  return found
}

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/*
 * Writes cdk8s/src/gen/kinds.ts: a typed construct for each kind of truenow.io, from the CRDs, so that what compiles is what
 * the API server knows. `make generate` runs it; CI compares.
 */
type Schema = Readonly<{
  type?: string
  description?: string
  default?: unknown
  enum?: readonly string[]
  required?: readonly string[]
  properties?: Readonly<Record<string, Schema>>
  additionalProperties?: Schema
  items?: Schema
}>
type Crd = Readonly<{
  spec: Readonly<{
    group: string
    names: Readonly<{ kind: string }>
    versions: ReadonlyArray<Readonly<{ name: string; schema: Readonly<{ openAPIV3Schema: Schema }> }>>
  }>
}>

const root = fileURLToPath(new URL('../..', import.meta.url))
const crds = readdirSync(`${root}/crds`)
  .filter((file) => file.endsWith('.yaml'))
  .toSorted()
  .map((file) => parse(readFileSync(`${root}/crds/${file}`, 'utf8')) as Crd)
const NOTE = `// Generated from crds/ by cdk8s/src/generate-kinds.ts (make generate). Do not edit.
import { ApiObject, type ApiObjectMetadata, JsonPatch } from 'cdk8s'
import type { Construct } from 'constructs'
`
writeFileSync(`${root}/cdk8s/src/gen/kinds.ts`, [NOTE, ...crds.map(kindOf)].join('\n'))

function kindOf({ spec }: Crd): string {
  const { group, names, versions } = spec
  const [version] = versions
  if (version === undefined) throw new Error(`The CRD of ${names.kind} has no version.`)
  const { openAPIV3Schema: whole } = version.schema
  const interfaces: string[] = []
  typeOf(whole.properties?.spec ?? {}, `${names.kind}Spec`, interfaces)
  return `${interfaces.toReversed().join('\n')}
${comment(whole.description ?? '', '')}export class ${names.kind} extends ApiObject {
  constructor(scope: Construct, id: string, props: Readonly<{ metadata?: ApiObjectMetadata; spec: ${names.kind}Spec }>) {
    const { metadata = {}, spec } = props
    super(scope, id, { apiVersion: '${group}/${version.name}', kind: '${names.kind}', metadata })
    // As a patch: cdk8s sorts what it is given, and people read a spec in the order in which it was written.
    this.addJsonPatch(JsonPatch.add('/spec', spec))
  }
}
`
}

/** The TypeScript type of a schema; that of an object becomes an interface of its own, named by its path. */
function typeOf(schema: Schema, path: string, interfaces: string[]): string {
  const { type, properties, additionalProperties, items } = schema
  if (schema.enum !== undefined) return schema.enum.map((value) => `'${value}'`).join(' | ')
  if (type === 'array') {
    const item = typeOf(items ?? {}, path, interfaces)
    return item.includes('|') ? `ReadonlyArray<${item}>` : `readonly ${item}[]`
  }
  if (type === 'integer' || type === 'number') return 'number'
  if (type !== 'object') return type ?? 'unknown'
  if (additionalProperties !== undefined)
    return `Readonly<Record<string, ${typeOf(additionalProperties, path, interfaces)}>>`
  if (properties === undefined || Object.keys(properties).length === 0)
    return 'Readonly<Record<string, unknown>>'
  const place = interfaces.push('') - 1
  const fields = Object.entries(properties).map(([name, field]) => {
    const optional = !(schema.required ?? []).includes(name) || field.default !== undefined
    const below = `${path}${name.charAt(0).toUpperCase()}${name.slice(1)}`
    return `${comment(field.description ?? '', '  ', field.default)}  readonly ${name}${optional ? '?' : ''}: ${typeOf(field, below, interfaces)}\n`
  })
  interfaces[place] =
    `${comment(schema.description ?? '', '')}export interface ${path} {\n${fields.join('')}}\n`
  return path
}

function comment(text: string, indent: string, byDefault?: unknown): string {
  const lines = [
    ...(text === '' ? [] : [text.replaceAll('*/', '*∕')]),
    ...(byDefault === undefined ? [] : [`@default ${JSON.stringify(byDefault)}`]),
  ]
  if (lines.length === 0) return ''
  const [only] = lines
  if (lines.length === 1) return `${indent}/** ${only} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`
}

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

type Schema = Readonly<Record<string, unknown>>
type Definition = Readonly<{
  spec: Readonly<{
    names: Readonly<{ kind: string; shortNames: readonly string[] }>
    versions: ReadonlyArray<
      Readonly<{
        subresources: Readonly<Record<string, unknown>>
        additionalPrinterColumns: ReadonlyArray<Readonly<{ name: string; jsonPath: string }>>
        schema: Readonly<{ openAPIV3Schema: Schema }>
      }>
    >
  }>
}>

/** What `kubectl apply` of the client can keep in its annotation. */
const BYTES_MAX = 262_144
const DESCRIPTION_LENGTH_MIN = 20
const folder = fileURLToPath(new URL('../../../crds/', import.meta.url))
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
const definitionOf = (file: string) => parse(readFileSync(folder + file, 'utf8')) as Definition
const schemaOf = (file: string) => definitionOf(file).spec.versions[0]?.schema.openAPIV3Schema as Schema

/** Every schema inside, with its path: properties and items, as a structural schema allows them. */
function* within(schema: Schema, path = ''): Generator<[path: string, schema: Schema]> {
  yield [path, schema]
  for (const [name, inner] of Object.entries((schema.properties ?? {}) as Record<string, Schema>))
    yield* within(inner, `${path}.${name}`)
  if (schema.items !== undefined) yield* within(schema.items as Schema, `${path}[]`)
}

test('CRDs: words stay words to kubectl, which reads YAML 1.1: a bare Off would be false', () => {
  let words = 0
  for (const file of files) {
    const read = parse(readFileSync(folder + file, 'utf8'), { version: '1.1' }) as Definition
    for (const [path, schema] of within(read.spec.versions[0]?.schema.openAPIV3Schema as Schema)) {
      if (schema.type !== 'string') continue
      for (const word of [...((schema.enum ?? []) as unknown[]), schema.default ?? '']) {
        words += 1
        assert.equal(typeof word, 'string', `${file}${path}: ${word}`)
      }
    }
  }
  assert.ok(words > 50, `${words} words`)
})

test('CRDs: three kinds, each what `make generate` writes today', () => {
  assert.deepEqual(files.toSorted(), ['rebalances.yaml', 'tables.yaml', 'truenowclusters.yaml'])
  const program = fileURLToPath(new URL('./generate-crds.ts', import.meta.url))
  execFileSync(process.execPath, [program, '--check'], { stdio: 'pipe' })
})

for (const file of files) {
  test(`CRD ${file}: small enough for a plain kubectl apply`, () => {
    const bytes = Buffer.byteLength(JSON.stringify(definitionOf(file)))
    assert.ok(bytes < BYTES_MAX / 2, `${bytes} bytes`)
  })

  test(`CRD ${file}: every field says what it is, for kubectl explain`, () => {
    const silent = [...within(schemaOf(file))]
      .filter(([path]) => path !== '')
      .filter(([, { description }]) => String(description ?? '').length < DESCRIPTION_LENGTH_MIN)
      .map(([path, { description }]) => `${path}: ${description}`)
    assert.deepEqual(silent, [])
  })

  test(`CRD ${file}: a structural schema: types everywhere, no reference, no alternative, no constant`, () => {
    const forbidden = [
      '$ref',
      '$id',
      'const',
      'anyOf',
      'oneOf',
      'allOf',
      'not',
      'definitions',
      'additionalProperties',
    ]
    for (const [path, schema] of within(schemaOf(file))) {
      assert.equal(typeof schema.type, 'string', `${path} has no type`)
      // A map of plain values is structural; beside named properties it is not.
      const { additionalProperties: values, ...rest } = schema
      const isMap =
        typeof (values as Schema | undefined)?.type === 'string' && schema.properties === undefined
      assert.deepEqual(
        Object.keys(isMap ? rest : schema).filter((key) => forbidden.includes(key)),
        [],
        path,
      )
      if (schema.type === 'array') assert.ok(schema.items !== undefined, `${path} has no items`)
      const properties = Object.keys((schema.properties ?? {}) as object)
      for (const name of (schema.required ?? []) as string[])
        assert.ok(properties.includes(name), `${path}.${name}`)
    }
  })

  test(`CRD ${file}: what has a default is not required, and no default is empty where the inside has none`, () => {
    for (const [path, { properties = {}, required = [] }] of within(schemaOf(file)))
      for (const [name, inner] of Object.entries(properties as Record<string, Schema>)) {
        if (!('default' in inner)) continue
        assert.equal((required as string[]).includes(name), false, `${path}.${name}`)
        if (JSON.stringify(inner.default) !== '{}') continue
        assert.deepEqual(inner.required ?? [], [], `${path}.${name}: {} would not be valid`)
      }
  })

  test(`CRD ${file}: lists and texts that CEL walks over are bounded, columns name fields that are there`, () => {
    const schemas = new Map(within(schemaOf(file)))
    for (const [path, schema] of schemas)
      if (path.startsWith('.spec') && schema.type === 'array') assert.ok(Number(schema.maxItems) > 0, path)
    const [version] = definitionOf(file).spec.versions
    assert.ok('status' in (version?.subresources ?? {}))
    for (const { name, jsonPath } of version?.additionalPrinterColumns ?? []) {
      if (jsonPath.includes('[?') || jsonPath.startsWith('.metadata')) continue
      assert.ok(schemas.has(jsonPath), `column ${name}: ${jsonPath}`)
    }
  })
}

test('CRDs: scale reads and writes fields that are there, of the right types', () => {
  const [version] = definitionOf('truenowclusters.yaml').spec.versions
  const scale = version?.subresources.scale as Record<string, string>
  const schemas = new Map(within(version?.schema.openAPIV3Schema as Schema))
  const types = ['specReplicasPath', 'statusReplicasPath', 'labelSelectorPath'].map(
    (key) => schemas.get(scale[key] ?? '')?.type,
  )
  assert.deepEqual(types, ['integer', 'integer', 'string'])
})

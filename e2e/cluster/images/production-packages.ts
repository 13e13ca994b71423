/** The parts of package-lock.json (version 3) that say which installed package belongs to which. */
export type Lockfile = Readonly<{
  packages: Readonly<
    Record<
      string,
      {
        link?: boolean
        resolved?: string
        dependencies?: Record<string, string>
        peerDependencies?: Record<string, string>
        peerDependenciesMeta?: Record<string, { optional?: boolean }>
      }
    >
  >
}>

/**
 * The directories below the checkout that these workspaces need at run time, as `npm ci --omit=dev --omit=optional`
 * of just them would install. Read from the lockfile instead of run, so that building an image needs no network and
 * ships what was tested. Links stand for themselves: a workspace must stay a symbolic link (Node strips no types
 * below node_modules).
 */
export function productionPackages(lockfile: Lockfile, workspaces: readonly string[]): string[] {
  const found = new Set<string>()
  const pending = [...workspaces]
  for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
    if (found.has(key)) continue
    found.add(key)
    const entry = lockfile.packages[key]
    if (entry === undefined)
      throw new Error(`package-lock.json has no '${key}'; run npm install to bring it in step`)
    if (entry.link && entry.resolved !== undefined) pending.push(entry.resolved)
    for (const name of neededNames(entry)) {
      const target = resolveFrom(lockfile, key, name)
      if (target !== undefined) pending.push(target)
      else if (entry.dependencies?.[name])
        throw new Error(`package-lock.json: ${key} needs ${name}, which is not in it`)
    }
  }
  return [...found].sort()
}

const neededNames = ({
  dependencies,
  peerDependencies,
  peerDependenciesMeta,
}: Lockfile['packages'][string]) => [
  ...Object.keys(dependencies ?? {}),
  ...Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional),
]

/** As Node looks for a package: in node_modules of this directory, then of each one above. */
function resolveFrom({ packages }: Lockfile, key: string, name: string): string | undefined {
  const parts = key.split('/')
  for (let count = parts.length; count >= 0; count--) {
    const candidate = [...parts.slice(0, count), 'node_modules', name].join('/')
    if (packages[candidate] !== undefined) return candidate
  }
  return undefined
}

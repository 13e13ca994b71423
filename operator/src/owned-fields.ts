/**
 * The parts of `object` at the paths of `wanted`: what we own of it. The server's defaults and what others added are left
 * out; an array that has grown or shrunk is taken whole, since then somebody edited it. Pure, O(size).
 */
export function ownedFields(object: unknown, wanted: unknown): unknown {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(object) || object.length !== wanted.length) return object
    return wanted.map((element, index) => ownedFields(object[index], element))
  }
  if (!isRecord(wanted) || !isRecord(object)) return object
  const keys = Object.keys(wanted).toSorted()
  return Object.fromEntries(keys.map((key) => [key, ownedFields(object[key], wanted[key])]))
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

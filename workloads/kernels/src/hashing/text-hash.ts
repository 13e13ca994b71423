/** FNV-1a over the UTF-16 units of a text: 32 bits, signed. Its low bits want `fmix32` before they choose a place. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}

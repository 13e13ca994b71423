/** MurmurHash3 x86 32, seed 0 (Appleby, MurmurHash3.cpp). Twin: src/hashing/utf8-hash.ts. */
@inline
export function utf8Hash(from: usize, length: u32): u32 {
  let hash: u32 = 0
  let at = from
  const end = from + <usize>length
  for (; at + 4 <= end; at += 4) {
    hash ^= scrambled(load<u32>(at))
    hash = rotl<u32>(hash, 13) * 5 + 0xe6546b64
  }
  let rest: u32 = 0
  const left = <u32>(end - at)
  if (left > 0) rest = load<u8>(at)
  if (left > 1) rest |= <u32>load<u8>(at, 1) << 8
  if (left > 2) rest |= <u32>load<u8>(at, 2) << 16
  hash ^= scrambled(rest) ^ length
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
  return hash ^ (hash >> 16)
}

@inline
function scrambled(word: u32): u32 {
  return rotl<u32>(word * 0xcc9e2d51, 15) * 0x1b873593
}

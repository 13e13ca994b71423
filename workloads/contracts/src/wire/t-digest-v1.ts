import { TrueNowError } from '../errors.ts'

/*
 * t-digest v1: the state of QUANTILE: centroids in ascending order with what they weigh. Little-endian.
 *
 *   state := version u8 = 1 | zero u8 | compression u16 = 500 | count u32 | min f64 | max f64 |
 *            (mean f64){count} | (weight f64){count}
 *   count  = 0: no values, min and max are 0. Weights are whole numbers of values, at least 1; min <= every mean <= max.
 */
/** The delta of the scale function k1: at most so many centroids, and a centroid at q weighs at most 2 pi sqrt(q (1 - q)) / delta. */
export const T_DIGEST_COMPRESSION = 500
const CENTROIDS_MAX = T_DIGEST_COMPRESSION + 1
const VERSION = 1
const HEADER_BYTES = 24

export type TDigestState = Readonly<{ min: number; max: number; means: Float64Array; weights: Float64Array }>

/** Encodes a state that follows the grammar. */
export function encodeTDigest({ min, max, means, weights }: TDigestState): Uint8Array {
  const target = new DataView(new ArrayBuffer(HEADER_BYTES + 16 * means.length))
  target.setUint8(0, VERSION)
  target.setUint16(2, T_DIGEST_COMPRESSION, true)
  target.setUint32(4, means.length, true)
  target.setFloat64(8, min, true)
  target.setFloat64(16, max, true)
  for (let index = 0; index < means.length; index++) {
    target.setFloat64(HEADER_BYTES + 8 * index, means[index]!, true)
    target.setFloat64(HEADER_BYTES + 8 * (means.length + index), weights[index]!, true)
  }
  return new Uint8Array(target.buffer)
}

/** Decodes a state; nothing of `source` is kept. Errors: TN_BLOCK_CORRUPT for whatever breaks the grammar. */
export function decodeTDigest(source: Uint8Array): TDigestState {
  if (source.length < HEADER_BYTES) throw corrupt(`it has ${source.length} bytes`)
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  const [version, compression, count] = [view.getUint8(0), view.getUint16(2, true), view.getUint32(4, true)]
  if (version !== VERSION) throw corrupt(`version ${version}`)
  if (compression !== T_DIGEST_COMPRESSION) throw corrupt(`compression ${compression}`)
  if (count > CENTROIDS_MAX || source.length !== HEADER_BYTES + 16 * count)
    throw corrupt(`${count} centroids in ${source.length} bytes`)
  const [min, max] = [view.getFloat64(8, true), view.getFloat64(16, true)]
  const [means, weights] = [new Float64Array(count), new Float64Array(count)]
  let [before, total] = [min, 0]
  for (let index = 0; index < count; index++) {
    const mean = view.getFloat64(HEADER_BYTES + 8 * index, true)
    const weight = view.getFloat64(HEADER_BYTES + 8 * (count + index), true)
    if (!(mean >= before && mean <= max)) throw corrupt(`mean ${mean} after ${before}, at most ${max}`)
    if (!(Number.isSafeInteger(weight) && weight >= 1)) throw corrupt(`weight ${weight}`)
    means[index] = mean
    weights[index] = weight
    before = mean
    total += weight
  }
  if (!Number.isFinite(min) || !Number.isFinite(max) || !Number.isSafeInteger(total))
    throw corrupt(`${total} values from ${min} to ${max}`)
  return { min, max, means, weights }
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_BLOCK_CORRUPT', `t-digest v1 does not follow its grammar: ${what}.`)
}

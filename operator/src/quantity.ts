const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** Bytes of a Kubernetes quantity such as `1.5Gi`. Errors: RangeError for what is none; the CRD's pattern refuses it first. */
export function bytesOfQuantity(quantity: string): number {
  const [, number = '', unit = ''] =
    /^([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$/.exec(quantity) ?? []
  const factor = UNITS[unit]
  if (number === '' || factor === undefined)
    throw new RangeError(`'${quantity}' is no quantity of bytes, such as 1Gi`)
  return Math.floor(Number(number) * factor)
}

const EXPONENT = /[eE]/

/** True when a JSON number with a point or an exponent is a whole number, such as `1.50e1`. Cost: O(digits), never rounds. */
export function isIntegerText(text: string): boolean {
  const [mantissa = '', exponent = '0'] = text.split(EXPONENT, 2)
  const [whole = '', fraction = ''] = mantissa.split('.', 2)
  const digits = whole + fraction
  let last = digits.length - 1
  while (last >= 0 && !(digits.charCodeAt(last) > 48 && digits.charCodeAt(last) <= 57)) last -= 1
  if (last < 0) return true // Zero, however it is written.
  const places = last + 1 - whole.length // Of digits that count, behind the point.
  return places <= Number(exponent)
}

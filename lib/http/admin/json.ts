/*
 * Numbers that JSON does not have are text: "Infinity", "-Infinity", "NaN". `null` would not tell them apart.
 */

/** As JSON, with text for numbers that it does not have, and arrays for typed ones. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => {
    if (typeof one === 'number' && !Number.isFinite(one)) return String(one)
    if (typeof one === 'bigint') return one.toString()
    return one instanceof Float64Array ? [...one] : one
  })
}

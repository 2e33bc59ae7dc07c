/* Values that say which they are: every byte of one is known from its first ones. */

const SIZES = [0, 1, 700, 4096, 20_000, 65_000, 70_000, 150_000, 400_000]

const headOf = (space, key, version, size) => `${space}|${key}|${version}|${size}|`

export function makeValue(space, key, version, random) {
  const size = SIZES[random(SIZES.length)]
  const head = headOf(space, key, version, size)
  const value = Buffer.alloc(head.length + size, version & 0xff)
  value.write(head)
  return value
}

/** The version that the bytes are of; undefined when they are not exactly those of a value of the key. */
export function versionOf(space, key, bytes) {
  const [, , version, size] = bytes.subarray(0, 80).toString('latin1').split('|')
  const head = headOf(space, key, version, size)
  const body = bytes.subarray(head.length)
  const isWhole =
    body.length === Number(size) &&
    bytes.subarray(0, head.length).toString('latin1') === head &&
    body.every((byte) => byte === (Number(version) & 0xff))
  return isWhole ? Number(version) : undefined
}

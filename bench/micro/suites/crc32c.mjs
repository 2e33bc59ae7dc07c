/* CRC32C: the addon and the JavaScript twin beside the fastest package that npm has. */
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { crc32c as nodeRs } from '@node-rs/crc32'
import { crc32c } from '../../../dist/native/crc32c.js'
import { crc32cJs } from '../../../dist/native/crc32c-js.js'
import { native, nativeStatus } from '../../../dist/native/loader.js'

const SIZES = { '64 B': 64, '128 B': 128, '1 KiB': 2 ** 10, '64 KiB': 2 ** 16, '1 MiB': 2 ** 20 }
const NATIVE = 'drey native'
const JS = 'drey js'
const PEER = '@node-rs/crc32'
// Calling one by its name costs some tens of nanoseconds more, which would blur the small sizes.
const BY_NAME_FROM = 2 ** 16

export function suite() {
  const status = nativeStatus()
  const addon = native()
  // What the addon falls back to on a processor that has less.
  const others = (addon?.crc32cImplementations ?? []).slice(1)
  const rows = Object.entries(SIZES).map(([name, bytes]) => {
    const data = randomBytes(bytes)
    const contestants = {
      ...(status.loaded ? { [NATIVE]: () => crc32c(data) } : {}),
      [JS]: () => crc32cJs(data, 0),
      [PEER]: () => nodeRs(data),
      ...Object.fromEntries(
        (bytes < BY_NAME_FROM ? [] : others).map((name) => [name, () => addon.crc32cBy(name, data, 0)]),
      ),
    }
    const expected = nodeRs(data)
    for (const run of Object.values(contestants)) assert.equal(run(), expected)
    return { name, bytes, contestants }
  })
  return {
    notes: [status.loaded ? `addon: ${status.crc32c}` : `no addon: ${status.reason}`],
    columns: [NATIVE, JS, PEER, ...others],
    rows,
    ratios: [
      [NATIVE, PEER],
      [NATIVE, JS],
    ],
    claims: [{ row: '1 MiB', ratio: [NATIVE, PEER], atLeast: 3, goal: 4 }],
  }
}

/* The keyed hash of keys: the addon beside the JavaScript twin, and an HMAC of node:crypto for scale. */
import { strict as assert } from 'node:assert'
import { createHmac, randomBytes } from 'node:crypto'
import { hash128 } from '../../../dist/native/hash.js'
import { hash128Js } from '../../../dist/native/hash-js.js'
import { nativeStatus } from '../../../dist/native/loader.js'

const KEYS = {
  '/a': '/a',
  '40 characters': 'https://example.com/assets/app-3f2a.js?v',
  '300 characters': `https://example.com/${'search/'.repeat(40)}`,
  '40 beyond ASCII': 'é'.repeat(40),
}
const NATIVE = 'drey native'
const JS = 'drey js'
const HMAC = 'HMAC-SHA1'

export function suite() {
  const status = nativeStatus()
  const secret = randomBytes(16)
  const scratch = new Uint8Array(32 * 1024)
  const encoder = new TextEncoder()
  const rows = Object.entries(KEYS).map(([name, key]) => {
    const native = new Uint32Array(4)
    const js = new Uint32Array(4)
    const contestants = {
      ...(status.loaded ? { [NATIVE]: () => hash128(secret, key, native) } : {}),
      [JS]: () => hash128Js(secret, scratch, encoder.encodeInto(key, scratch).written, js),
      [HMAC]: () => createHmac('sha1', secret).update(key).digest(),
    }
    for (const run of Object.values(contestants)) run()
    if (status.loaded) assert.deepEqual(native, js)
    return { name, contestants }
  })
  return {
    notes: [status.loaded ? 'a key that is a string, its encoding included' : `no addon: ${status.reason}`],
    columns: [NATIVE, JS, HMAC],
    rows,
    ratios: [[NATIVE, JS]],
    claims: status.loaded ? [{ row: '40 characters', ratio: [NATIVE, JS], atLeast: 1 }] : [],
  }
}

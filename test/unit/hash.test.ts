import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hash128 } from '../../lib/native/hash.js'
import { hash128Js } from '../../lib/native/hash-js.js'
import { native } from '../../lib/native/loader.js'

const ascending = (size: number) => Uint8Array.from({ length: size }, (_, at) => at)
const KEY = ascending(16)

function hex(hash: typeof hash128, key: Uint8Array, data: Uint8Array | string): string {
  const out = new Uint32Array(4)
  hash(key, data, out)
  const bytes = Buffer.alloc(16)
  for (const [at, word] of out.entries()) bytes.writeUInt32LE(word, at * 4)
  return bytes.toString('hex')
}

const addon = native()
const paths: Array<[string, typeof hash128]> = [
  ['hash128', hash128],
  [
    'JavaScript',
    (key, data, out) => {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data
      hash128Js(key, bytes, bytes.length, out)
    },
  ],
  ...(addon === undefined ? [] : [['addon', addon.hash128] as [string, typeof hash128]]),
]

describe.each(paths)('%s (I11)', (_, hash) => {
  // vectors_sip128 of the authors of SipHash: SipHash-2-4, 128 bits, key 00 … 0f, that many bytes 00 01 02 …
  it.each([
    [0, 'a3817f04ba25a8e66df67214c7550293'],
    [1, 'da87c1d86b99af44347659119b22fc45'],
    [2, '8177228da4a45dc7fca38bdef60affe4'],
    [3, '9c70b60c5267a94e5f33b6b02985ed51'],
    [4, 'f88164c12d9c8faf7d0f6e7c7bcd5579'],
    [5, '1368875980776f8854527a07690e9627'],
    [6, '14eeca338b208613485ea0308fd7a15e'],
    [7, 'a1f1ebbed8dbc153c0b84aa61ff08239'],
    [8, '3b62a9ba6258f5610f83e264f31497b4'],
    [15, '5493e99933b0a8117e08ec0f97cfc3d9'],
    [16, '6ee2a4ca67b054bbfd3315bf85230577'],
    [63, '5150d1772f50834a503e069a973fbd7c'],
  ])('gives the published hash of %d bytes', (size, expected) => {
    expect(hex(hash, KEY, ascending(size))).toBe(expected)
  })

  it('agrees with the others for any key and bytes', () => {
    const key = fc.uint8Array({ minLength: 16, maxLength: 16 })
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 600 }), fc.nat(9), (secret, bytes, offset) => {
        const data = bytes.subarray(Math.min(offset, bytes.length))
        expect(hex(hash, secret, data)).toBe(hex(paths.at(-1)![1], secret, data))
        expect(hex(hash, secret, data)).toBe(hex(paths[1]![1], secret, data))
      }),
    )
  })

  it('hashes a string as its UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        expect(hex(hash, KEY, text)).toBe(hex(hash, KEY, Buffer.from(text)))
      }),
    )
  })

  it('hashes the longest string there may be, in characters of one to four bytes', () => {
    const MAX = 32 * 1024
    for (const [unit, bytes] of [
      ['x', 1],
      ['é', 2],
      ['€', 3],
      ['🐿', 4],
    ] as const) {
      const text = unit.repeat(Math.floor(MAX / bytes))
      expect(hex(hash, KEY, text)).toBe(hex(hash, KEY, Buffer.from(text)))
      const padded = text + 'x'.repeat(MAX - Buffer.byteLength(text))
      expect(hex(hash, KEY, padded)).toBe(hex(hash, KEY, Buffer.from(padded)))
    }
  })
})

describe('what hash128 refuses', () => {
  const out = new Uint32Array(4)

  it('is a key that has not 16 bytes, and a place that is too small', () => {
    const wrong = expect.objectContaining({ code: 'ERR_DREY_CONFIG' })
    expect(() => hash128(ascending(15), 'text', out)).toThrow(wrong)
    expect(() => hash128(ascending(17), 'text', out)).toThrow(/17 bytes/)
    expect(() => hash128(KEY, 'text', new Uint32Array(3))).toThrow(wrong)
  })

  it('is a string of more than 32 KiB of UTF-8, but not as many bytes', () => {
    const limit = 32 * 1024
    for (const text of ['x'.repeat(limit + 1), '€'.repeat(limit / 3 + 1), '🐿'.repeat(limit)]) {
      expect(() => hash128(KEY, text, out)).toThrow(expect.objectContaining({ code: 'ERR_DREY_KEY' }))
      expect(hex(hash128, KEY, Buffer.from(text))).toMatch(/^[0-9a-f]{32}$/)
    }
  })
})

if (addon !== undefined) {
  describe('the addon by itself', () => {
    const misuse = addon.hash128 as unknown as (...args: unknown[]) => unknown
    const out = new Uint32Array(4)

    it('takes nothing but the types that it was made for', () => {
      const wrong = expect.objectContaining({ name: 'TypeError', code: 'ERR_DREY_CONFIG' })
      expect(() => misuse()).toThrow(wrong)
      expect(() => misuse(ascending(8), 'text', out)).toThrow(/must have 16 bytes; it has 8/)
      for (const data of [undefined, 7, {}, new ArrayBuffer(3)])
        expect(() => misuse(KEY, data, out)).toThrow(wrong)
      for (const place of [undefined, new Uint32Array(3), new Uint8Array(16)]) {
        expect(() => misuse(KEY, 'text', place)).toThrow(wrong)
      }
    })

    it('refuses a string that its memory cannot hold, also at the border', () => {
      const limit = 32 * 1024
      for (const text of [`${'x'.repeat(limit - 3)}🐿`, `${'x'.repeat(limit)}x`, '€'.repeat(limit)]) {
        expect(() => misuse(KEY, text, out)).toThrow(
          expect.objectContaining({
            code: 'ERR_DREY_KEY',
            message: expect.stringContaining(`${Buffer.byteLength(text)} bytes`),
          }),
        )
      }
    })
  })
}

import { Buffer } from 'node:buffer'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../lib/native/crc32c.js'
import { crc32cJs } from '../../lib/native/crc32c-js.js'
import { native, nativeStatus } from '../../lib/native/loader.js'

type Checksum = (bytes: Uint8Array, seed: number) => number

/** The definition, a bit at a time. */
function bitwise(bytes: Uint8Array, seed: number): number {
  let state = ~seed
  for (const byte of bytes) {
    state ^= byte
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f63b78 : 0)
  }
  return ~state >>> 0
}

const addon = native()
const paths: Array<[string, Checksum]> = [
  ['crc32c', crc32c],
  ['JavaScript', crc32cJs],
  ...(addon === undefined ? [] : [['addon', addon.crc32c] as [string, Checksum]]),
  ...(addon?.crc32cImplementations ?? []).map((name): [string, Checksum] => [
    `addon, ${name}`,
    (bytes, seed) => addon!.crc32cBy(name, bytes, seed),
  ]),
]

const seeds = fc.integer({ min: 0, max: 0xffffffff })

it('runs on the path that this project is for', () => {
  expect(nativeStatus().loaded).toBe(process.env['DREY_NATIVE'] === '1')
})

describe.each(paths)('%s', (_, checksum) => {
  const of = (bytes: ArrayLike<number>) => checksum(Uint8Array.from(bytes), 0)

  it('gives what RFC 3720, B.4, says', () => {
    expect(of(Array(32).fill(0))).toBe(0x8a9136aa)
    expect(of(Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(of(Array.from({ length: 32 }, (_, at) => at))).toBe(0x46dd794e)
    expect(of(Array.from({ length: 32 }, (_, at) => 31 - at))).toBe(0x113fdb5c)
    const command = '01c00000000000000000000000000000140000000000040000000014000000182800000000000000'
    expect(of(Buffer.from(`${command}0200000000000000`, 'hex'))).toBe(0xd9963a56)
    expect(of(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(of([])).toBe(0)
  })

  it('agrees with the definition at every length up to 1024, wherever the bytes lie', () => {
    const bytes = Uint8Array.from({ length: 1024 + 64 }, (_, at) => (at * 2654435761) >>> 24)
    for (let length = 0; length <= 1024; length++) {
      const view = bytes.subarray(length % 64, (length % 64) + length)
      expect(checksum(view, length)).toBe(bitwise(view, length))
    }
  })

  it('agrees with the definition for any bytes, offset and seed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(63), seeds, (bytes, offset, seed) => {
        const view = bytes.subarray(Math.min(offset, bytes.length))
        expect(checksum(view, seed)).toBe(bitwise(view, seed))
      }),
    )
  })

  it('gives the checksum of the whole from pieces, wherever it is split', () => {
    const whole = Uint8Array.from({ length: 50_000 }, (_, at) => (at * 40503) >>> 5)
    const expected = crc32cJs(whole, 0)
    const cuts = fc.array(fc.nat(whole.length), { maxLength: 6 })
    fc.assert(
      fc.property(cuts, (places) => {
        const ends = [...places, whole.length].sort((a, b) => a - b)
        let at = 0
        let crc = 0
        for (const end of ends) {
          crc = checksum(whole.subarray(at, end), crc)
          at = end
        }
        expect(crc).toBe(expected)
      }),
    )
  })
})

describe('what it takes', () => {
  const expected = 0xe3069283
  const text = '123456789'
  const memory = Uint8Array.from(Buffer.from(text)).buffer

  it('is any view, or all of an ArrayBuffer', () => {
    expect(crc32c(Buffer.from(text))).toBe(expected)
    expect(crc32c(memory)).toBe(expected)
    expect(crc32c(new DataView(memory))).toBe(expected)
    const padded = new Uint8Array(16)
    padded.set(Buffer.from(text), 3)
    expect(crc32c(new DataView(padded.buffer, 3, 9))).toBe(expected)
    const words = Uint32Array.from([0x34333231, 0x38373635])
    expect(crc32c(words)).toBe(crc32c(Buffer.from('12345678')))
    expect(crc32c(new Float64Array(words.buffer))).toBe(crc32c(Buffer.from('12345678')))
  })

  it('is shared memory, of any size', () => {
    for (const size of [9, 4096]) {
      const shared = new SharedArrayBuffer(size)
      new Uint8Array(shared).fill(7)
      const plain = crc32c(Buffer.alloc(size, 7))
      expect(crc32c(shared)).toBe(plain)
      expect(crc32c(new Uint8Array(shared))).toBe(plain)
    }
  })

  it('is the bytes of another realm', () => {
    const foreign: Uint8Array = runInNewContext('Uint8Array.from({ length: 200 }, (_, at) => at)')
    expect(foreign instanceof Uint8Array).toBe(false)
    expect(crc32c(foreign)).toBe(crc32cJs(Uint8Array.from(foreign), 0))
    const buffer: ArrayBuffer = runInNewContext('new ArrayBuffer(200)')
    expect(crc32c(buffer)).toBe(crc32cJs(new Uint8Array(200), 0))
  })

  it('is memory that grew or shrank meanwhile', () => {
    type Resizable = ArrayBuffer & { resize(size: number): void }
    const make = ArrayBuffer as unknown as new (size: number, o: { maxByteLength: number }) => Resizable
    const buffer = new make(100, { maxByteLength: 10_000 })
    const tracking = new Uint8Array(buffer)
    buffer.resize(5000)
    expect(crc32c(tracking)).toBe(crc32cJs(new Uint8Array(5000), 0))
    buffer.resize(70)
    expect(crc32c(tracking)).toBe(crc32cJs(new Uint8Array(70), 0))
  })

  it.each([
    ['a string', text, /a string/],
    ['an array', [1, 2, 3], /an object/],
    ['nothing', undefined, /undefined/],
    ['null', null, /null/],
    ['a number', 7, /7/],
  ])('is not %s', (_, bytes, message) => {
    expect(() => crc32c(bytes as unknown as Uint8Array)).toThrow(
      expect.objectContaining({ code: 'ERR_DREY_CONFIG', message: expect.stringMatching(message) }),
    )
  })

  it('is not memory that was transferred away', () => {
    for (const size of [9, 4096]) {
      const bytes = new Uint8Array(size)
      const { buffer } = bytes
      structuredClone(buffer, { transfer: [buffer] })
      for (const detached of [bytes, buffer]) {
        expect(() => crc32c(detached)).toThrow(
          expect.objectContaining({ code: 'ERR_DREY_CONFIG', message: expect.stringMatching(/detached/) }),
        )
      }
    }
  })

  it.each([[-1], [0.5], [2 ** 32], [Number.NaN], ['1'], [null]])('is not the seed %s', (seed) => {
    expect(() => crc32c(Buffer.from(text), seed as number)).toThrow(
      expect.objectContaining({ code: 'ERR_DREY_CONFIG', message: expect.stringMatching(/seed is/) }),
    )
  })
})

if (addon !== undefined) {
  describe('the addon by itself', () => {
    const misuse = addon as unknown as Record<string, (...args: unknown[]) => unknown>

    it('takes nothing but the types that it was made for', () => {
      const wrong = expect.objectContaining({ name: 'TypeError', code: 'ERR_DREY_CONFIG' })
      for (const bytes of [
        undefined,
        null,
        'text',
        {},
        [],
        new DataView(new ArrayBuffer(8)),
        new Uint16Array(4),
      ]) {
        expect(() => misuse['crc32c']!(bytes, 0)).toThrow(wrong)
      }
      expect(() => misuse['crc32c']!()).toThrow(wrong)
      expect(() => misuse['crc32c']!(new Uint8Array(8), 'seed')).toThrow(wrong)
      expect(() => misuse['crc32cBy']!('sse9', new Uint8Array(8), 0)).toThrow(
        /'sse9'; this processor runs: .*portable/,
      )
      expect(() => misuse['crc32cBy']!('x'.repeat(100), new Uint8Array(8), 0)).toThrow(/100 bytes/)
    })
  })
}

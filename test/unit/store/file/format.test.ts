import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contextOf, withBytes, withNumber } from '../../../../lib/store/file/format/checksum.js'
import { CHUNK_ENTRY, encodeChunk } from '../../../../lib/store/file/format/chunk.js'
import {
  DIRECTORY_BYTES,
  decodeDirectory,
  encodeDirectory,
} from '../../../../lib/store/file/format/directory.js'
import {
  checkImagePage,
  decodeImageEntry,
  decodeImageHeader,
  encodeImageEntry,
  encodeImageHeader,
  IMAGE_ENTRY,
  IMAGE_HEADER,
  imageBytes,
  PAGE_HEAD,
  sealImagePage,
} from '../../../../lib/store/file/format/image.js'
import { decodeMetadata, encodeMetadata, endIn } from '../../../../lib/store/file/format/metadata.js'
import {
  blobName,
  blobOf,
  imageName,
  imageOf,
  segmentName,
  segmentOf,
} from '../../../../lib/store/file/format/names.js'
import {
  batchBody,
  decodeRecord,
  encodeRecord,
  endsBatch,
  FIXED_HEAD,
  FLAG,
  isBlob,
  KIND,
  partsOf,
  putBody,
  type RecordParts,
  recordBytesOf,
} from '../../../../lib/store/file/format/record.js'
import { decodeSegment, encodeSegment, SEGMENT_HEADER } from '../../../../lib/store/file/format/segment.js'
import {
  type BlobShape,
  decodePage,
  encodeTable,
  pagePlace,
  tableBytes,
} from '../../../../lib/store/file/format/table.js'
import { packedChunks, packedParts } from '../../../../lib/store/file/js/value.js'

/*
 * What is encoded is decoded to the same; with any bit flipped, or cut off anywhere, or in another place, it is refused.
 */

const STORE_ID = Buffer.from('0123456789abcdef')
const number = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes))

/** With each bit of [from, to) flipped in turn, and cut at each length, `decode` gives undefined. */
function expectRefused(bytes: Buffer, from: number, to: number, decode: (bytes: Buffer) => unknown): void {
  for (let bit = from * 8; bit < to * 8; bit += 1) {
    const flipped = Buffer.from(bytes)
    flipped[bit >>> 3]! ^= 1 << (bit & 7)
    if (decode(flipped) !== undefined) throw new Error(`bit ${bit & 7} of byte ${bit >>> 3} is not noticed`)
  }
  for (let length = 0; length < to; length += 1) {
    if (decode(bytes.subarray(0, length)) !== undefined) throw new Error(`a cut at ${length} is not noticed`)
  }
}

describe('the header of a directory', () => {
  const header = { storeId: STORE_ID, secret: Buffer.from('fedcba9876543210'), partitions: 16, madeAt: 1e12 }

  test('goes there and back', () => {
    fc.assert(
      fc.property(bytes16, bytes16, fc.nat(8), number, (storeId, secret, power, madeAt) => {
        const some = { storeId, secret, partitions: 2 ** power, madeAt }
        expect(decodeDirectory(encodeDirectory(some))).toEqual(some)
      }),
    )
  })

  test('is there twice, and refused when neither is whole', () => {
    const bytes = encodeDirectory(header)
    expect(bytes.length).toBe(DIRECTORY_BYTES)
    for (let bit = 0; bit < 128 * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >>> 3]! ^= 1 << (bit & 7)
      expect(decodeDirectory(flipped)).toEqual(header)
      flipped[512 + (bit >>> 3)]! ^= 1 << (bit & 7)
      expect(decodeDirectory(flipped)).toBeUndefined()
    }
    for (let length = 0; length < 128; length += 1)
      expect(decodeDirectory(bytes.subarray(0, length))).toBeUndefined()
  })
})

describe('the header of a segment', () => {
  const context = contextOf(STORE_ID, 'SEGM')

  test('goes there and back, and is refused elsewhere', () => {
    fc.assert(
      fc.property(
        number,
        number,
        bytes16,
        fc.nat(2),
        number,
        (of, nextSequence, bootId, durability, begunAt) => {
          const header = { number: of, oldest: Math.floor(of / 2), nextSequence, bootId, durability, begunAt }
          const bytes = encodeSegment(header, STORE_ID, context)
          expect(decodeSegment(bytes, of, STORE_ID, context)).toEqual(header)
          expect(decodeSegment(bytes, of + 1, STORE_ID, context)).toBeUndefined()
          const other = Buffer.from('fedcba9876543210')
          expect(decodeSegment(bytes, of, other, contextOf(other, 'SEGM'))).toBeUndefined()
        },
      ),
    )
  })

  test('is refused with any bit flipped, and cut anywhere', () => {
    const header = { number: 7, oldest: 3, nextSequence: 99, bootId: STORE_ID, durability: 1, begunAt: 5 }
    const bytes = encodeSegment(header, STORE_ID, context)
    expectRefused(bytes, 0, SEGMENT_HEADER, (some) => decodeSegment(some, 7, STORE_ID, context))
  })
})

const text = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
const chunkPower = fc.integer({ min: 12, max: 20 })

/** Records of all kinds. */
const record: fc.Arbitrary<RecordParts> = fc.oneof(
  fc
    .record({
      key: text,
      metadata: fc.uint8Array({ maxLength: 80 }),
      power: chunkPower,
      value: fc.uint8Array({ maxLength: 20_000 }),
    })
    .map(({ key, metadata, power, value }) => {
      const chunks = []
      for (let at = 0; at < value.length; at += 2 ** power) {
        const bytes = value.subarray(at, at + 2 ** power)
        chunks.push({ codec: 0, size: bytes.length, bytes })
      }
      return packedParts(Buffer.from(key), Buffer.from(metadata), value.length, power, chunks)
    }),
  fc
    .record({
      key: text,
      metadata: fc.uint8Array({ maxLength: 80 }),
      power: chunkPower,
      size: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
      sequence: number,
    })
    .map(({ key, metadata, power, size, sequence }) => ({
      kind: KIND.put,
      flags: FLAG.blob,
      chunkPower: power,
      size,
      storedBytes: Math.ceil(size / 2),
      keyBytes: Buffer.byteLength(key),
      metadataBytes: metadata.length,
      body: putBody(sequence, Buffer.from(key), metadata),
      data: [],
    })),
  bytes16.map((hash) => bare(KIND.delete, FLAG.member, hash)),
  fc.constantFrom(bare(KIND.clear, FLAG.copied), bare(KIND.doubt, 0), bare(KIND.end, 0)),
  fc
    .array(fc.nat({ max: 2 ** 32 - 1 }), { minLength: 1 })
    .map((sums) => bare(KIND.batch, 0, batchBody(sums))),
)

function bare(kind: number, flags: number, body: Buffer = Buffer.alloc(0)): RecordParts {
  const none = { chunkPower: 0, size: 0, storedBytes: 0, keyBytes: 0, metadataBytes: 0 }
  return { kind, flags, ...none, body, data: [] }
}

describe('a record', () => {
  const context = withNumber(contextOf(STORE_ID, 'HEAD'), 3)
  const encode = (
    parts: RecordParts,
    place: { offset: number; sequence: number; unsynced: number },
  ): Buffer => {
    const bytes = Buffer.alloc(recordBytesOf(parts), 0xaa)
    encodeRecord(parts, place, context, bytes, 0)
    return bytes
  }

  test('goes there and back, and is refused elsewhere', () => {
    fc.assert(
      fc.property(record, fc.nat(2 ** 29), number, fc.nat(2 ** 32 - 1), (parts, at, sequence, unsynced) => {
        const offset = at * 8
        const bytes = encode(parts, { offset, sequence, unsynced })
        const head = decodeRecord(bytes, 0, offset, context)!
        const { kind, flags, size, storedBytes, keyBytes, metadataBytes } = parts
        expect(head).toMatchObject({
          kind,
          flags,
          chunkPower: parts.chunkPower,
          size,
          storedBytes,
          keyBytes,
          metadataBytes,
          sequence,
          unsynced,
        })
        expect(head.recordBytes).toBe(bytes.length)
        expect(bytes.length % 8).toBe(0)
        expect(bytes.subarray(FIXED_HEAD, head.headBytes).equals(parts.body)).toBe(true)
        if (kind === KIND.put && !isBlob(head)) {
          const chunks = packedChunks(bytes, 0, head)!
          expect(Buffer.concat(chunks.map((chunk) => chunk.bytes)).equals(Buffer.concat(parts.data))).toBe(
            true,
          )
          expect(packedChunks(bytes.subarray(0, bytes.length - 1), 0, head)).toBeUndefined()
        }
        expect(decodeRecord(bytes, 0, offset + 8, context)).toBeUndefined()
        expect(decodeRecord(bytes, 0, offset, withNumber(contextOf(STORE_ID, 'HEAD'), 4))).toBeUndefined()
      }),
    )
  })

  test('is refused with any bit of its head flipped, and cut anywhere in it', () => {
    fc.assert(
      fc.property(record, (parts) => {
        const bytes = encode(parts, { offset: 64, sequence: 9, unsynced: 1 })
        const { headBytes } = decodeRecord(bytes, 0, 64, context)!
        expectRefused(bytes, 0, headBytes, (some) => decodeRecord(some, 0, 64, context))
      }),
      { numRuns: 30 },
    )
  })

  test('does not give a chunk with any bit flipped', () => {
    const chunks = [Buffer.alloc(4096, 1), Buffer.alloc(50, 2)].map((bytes) => ({
      codec: 0,
      size: bytes.length,
      bytes,
    }))
    const parts = packedParts(Buffer.from('k'), Buffer.alloc(10), 4146, 12, chunks)
    const bytes = encode(parts, { offset: 64, sequence: 9, unsynced: 1 })
    const head = decodeRecord(bytes, 0, 64, context)!
    for (let bit = 0; bit < head.storedBytes * 8; bit += 97) {
      const flipped = Buffer.from(bytes)
      flipped[head.recordBytes - 6 - head.storedBytes + (bit >>> 3)]! ^= 1 << (bit & 7)
      expect(packedChunks(flipped, 0, head)).toBeUndefined()
    }
    expect(partsOf(head)).toEqual({ key: 48, metadata: 49, table: 59 })
  })

  test('of any bytes is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (some) => {
        expect(decodeRecord(Buffer.from(some), 0, 0, context)).toBeUndefined()
      }),
    )
  })

  test('that ends a batch knows its members, in their order', () => {
    const bytes = encode(bare(KIND.batch, 0, batchBody([1, 2, 3])), { offset: 0, sequence: 1, unsynced: 0 })
    expect(endsBatch(bytes, 0, [1, 2, 3])).toBe(true)
    for (const others of [[1, 2], [1, 3, 2], [1, 2, 3, 4], []])
      expect(endsBatch(bytes, 0, others)).toBe(false)
  })
})

describe('metadata', () => {
  // No -0: a time that equals the one before it is not written, and 0 equals -0.
  const time = fc
    .oneof(fc.double({ noNaN: true }), fc.constant(Number.POSITIVE_INFINITY), fc.integer())
    .map((some) => some + 0)
  const metadata = fc
    .record(
      {
        size: fc.nat(),
        cachedAt: time,
        freshUntil: time,
        staleIfErrorUntil: time,
        staleFor: fc.constantFrom(0, 1, 1000),
        labels: fc.oneof(
          fc.constant({ tags: [] }),
          fc.record({ tags: fc.array(fc.constantFrom('t', 'ü'), { minLength: 1 }), sequence: fc.nat() }),
        ),
        negative: fc.boolean(),
        etag: fc.string({ maxLength: 40, unit: 'grapheme' }),
        user: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
      },
      {
        requiredKeys: [
          'size',
          'cachedAt',
          'freshUntil',
          'staleFor',
          'staleIfErrorUntil',
          'negative',
          'labels',
        ],
      },
    )
    .map(({ staleFor, labels, ...some }) => ({ ...some, staleUntil: some.freshUntil + staleFor, ...labels }))

  test('goes there and back, and is refused when it is cut or longer', () => {
    fc.assert(
      fc.property(
        metadata,
        fc.option(fc.string({ minLength: 1, maxLength: 16 }), { nil: undefined }),
        (some, codecName) => {
          const bytes = encodeMetadata(some, codecName)!
          expect(decodeMetadata(bytes, some.size)).toEqual({ metadata: some, codecName })
          expect(endIn(bytes, 0, bytes.length)).toBe(
            Math.max(some.freshUntil, some.staleUntil, some.staleIfErrorUntil),
          )
          for (let length = 0; length < bytes.length; length += 1) {
            expect(decodeMetadata(bytes.subarray(0, length), 1)).toBeUndefined()
          }
          expect(decodeMetadata(Buffer.concat([bytes, Buffer.alloc(1)]), 1)).toBeUndefined()
        },
      ),
    )
  })

  test('that is too long, or has a time that is none, is not encoded', () => {
    const some = {
      size: 0,
      cachedAt: 0,
      freshUntil: 0,
      staleUntil: 0,
      staleIfErrorUntil: 0,
      negative: false,
      tags: [],
    }
    expect(encodeMetadata({ ...some, etag: 'x'.repeat(4097) })).toBeUndefined()
    expect(encodeMetadata({ ...some, user: 'x'.repeat(65_535) })).toBeUndefined()
    expect(encodeMetadata({ ...some, cachedAt: Number.NaN })).toBeUndefined()
    expect(encodeMetadata(some, 'x'.repeat(65))).toBeUndefined()
  })

  test('of any bytes is none, or some, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (some) => void decodeMetadata(Buffer.from(some), 1)),
    )
  })
})

describe('the table of a blob', () => {
  const keyHash = Buffer.from('0123456789abcdef')
  const context = withNumber(withBytes(contextOf(STORE_ID, 'BLOB'), keyHash), 5)

  test.each([1, 2, 254, 255, 256, 510, 511, 1000])('goes there and back: %i chunks', (count) => {
    const entries = Buffer.alloc(count * CHUNK_ENTRY)
    const size = (count - 1) * 4096 + 100
    let storedBytes = 0
    for (let index = 0; index < count; index += 1) {
      const rawBytes = index === count - 1 ? 100 : 4096
      const chunk = {
        checksum: index * 7,
        storedBytes: Math.max(1, rawBytes - (index % 5)),
        rawBytes,
        codec: index % 5 === 0 ? 0 : 1,
      }
      encodeChunk(chunk, entries, index * CHUNK_ENTRY)
      storedBytes += chunk.storedBytes
    }
    const shape: BlobShape = { size, storedBytes, chunkBytes: 4096 }
    const table = encodeTable(entries, context)
    expect(table.length).toBe(tableBytes(count))
    let offset = 0
    let seen = 0
    for (let page = 0; page * 255 < count; page += 1) {
      const place = pagePlace(page, shape)
      const bytes = table.subarray(place.offset - storedBytes, place.offset - storedBytes + place.length)
      const decoded = decodePage(bytes, page, shape, context)!
      expect(decoded.offsets[0]).toBe(offset)
      for (const chunk of decoded.chunks) {
        expect(chunk.checksum).toBe(seen * 7)
        offset += chunk.storedBytes
        seen += 1
      }
      expect(decodePage(bytes, page + 1, shape, context)).toBeUndefined()
      expect(decodePage(bytes, page, shape, withNumber(context, 1))).toBeUndefined()
      expect(
        decodePage(bytes, page, { ...shape, storedBytes: storedBytes - 1 }, context) === undefined ||
          page * 255 + 255 < count,
      ).toBe(true)
      if (page === 0)
        expectRefused(bytes, 0, Math.min(bytes.length, 64), (some) => decodePage(some, page, shape, context))
    }
    expect([seen, offset]).toEqual([count, storedBytes])
  })
})

describe('an image', () => {
  const context = contextOf(STORE_ID, 'IMAG')
  const header = {
    number: 4,
    segment: 9,
    offset: 808,
    oldest: 2,
    nextSequence: 1234,
    doubt: 17,
    entries: 3,
    pages: 1,
    flags: 1,
    bootId: STORE_ID,
    writtenAt: 77,
  }

  test('has a header that goes there and back, and is refused with any bit flipped', () => {
    const bytes = encodeImageHeader(header, STORE_ID, context)
    const decode = (some: Buffer): unknown => decodeImageHeader(some, 4, imageBytes(3), STORE_ID, context)
    expect(decode(bytes)).toEqual(header)
    expectRefused(bytes, 0, 160, decode)
    expect(decodeImageHeader(bytes, 5, imageBytes(3), STORE_ID, context)).toBeUndefined()
    expect(decodeImageHeader(bytes, 4, imageBytes(3) + 1, STORE_ID, context)).toBeUndefined()
    expect(bytes.length).toBe(IMAGE_HEADER)
  })

  test('has pages that go there and back, and are refused with any bit flipped', () => {
    const pages = withNumber(contextOf(STORE_ID, 'PAGE'), 4)
    const page = Buffer.alloc(PAGE_HEAD + 3 * IMAGE_ENTRY)
    const entries = [1, 2, 3].map((of) => ({
      lo: of,
      hi: 0xffffffff - of,
      sequence: 2 ** 40 + of,
      segment: of,
      offset: of * 8,
      length: 56,
      expires: 5,
      blobUnits: of,
      policy: 6,
    }))
    for (const [at, entry] of entries.entries()) encodeImageEntry(entry, page, PAGE_HEAD + at * IMAGE_ENTRY)
    sealImagePage(page, 8, 3, pages)
    expect(checkImagePage(page, 8, pages)).toBe(3)
    expect(checkImagePage(page, 9, pages)).toBe(0)
    expect(entries.map((_, at) => decodeImageEntry(page, PAGE_HEAD + at * IMAGE_ENTRY))).toEqual(entries)
    expectRefused(page, 0, page.length, (some) =>
      some.length < PAGE_HEAD ? undefined : checkImagePage(some, 8, pages) || undefined,
    )
  })
})

describe('names', () => {
  test('go there and back, and nothing else is one', () => {
    fc.assert(
      fc.property(number, bytes16, (of, hash) => {
        expect(segmentOf(segmentName(of))).toBe(of)
        expect(imageOf(imageName(of))).toBe(of)
        expect(blobOf(blobName(hash, of))).toEqual({ keyHash: hash, sequence: of })
        expect(segmentOf(imageName(of))).toBeUndefined()
        expect(imageOf(segmentName(of))).toBeUndefined()
      }),
    )
    for (const name of [
      '',
      '1.seg',
      '000000000000000G.seg',
      '0000000000000001.SEG',
      'ffffffffffffffff.seg',
    ]) {
      expect(segmentOf(name)).toBeUndefined()
    }
  })
})

import { describe, expect, test } from 'vitest'
import { createChunkCodec, readCompression } from '../../../../lib/compression/index.js'
import {
  expectBytes,
  metadataFor,
  mustFind,
  mustPut,
  put,
  readAll,
  readValue,
} from '../../../conformance/store-kit.js'
import { blocksOf, killed } from '../../../helpers/file-model.js'
import { emptyDir, enginesOfPath, opened } from '../../../helpers/file-rig.js'

/* Values that are made smaller on the disk. */

const codecOf = (option: unknown): ReturnType<typeof createChunkCodec> =>
  createChunkCodec(readCompression(option))

/** Text that can be made smaller, and differs everywhere. */
function textOf(size: number): Buffer {
  let text = ''
  for (let line = 0; text.length < size; line += 1)
    text += `line ${line} of a text that says the same again and again\n`
  return Buffer.from(text.slice(0, size))
}

const own = {
  name: 'rot13',
  compress: async (bytes: Uint8Array) => {
    const zeros = bytes.findIndex((byte) => byte !== 0)
    return Uint8Array.of(1, 2, 3, zeros < 0 ? 1 : 0)
  },
  decompress: async (bytes: Uint8Array, size: number) => {
    if (bytes[3] !== 1) throw new Error('only zeros')
    return new Uint8Array(size)
  },
}

describe.each(
  enginesOfPath().flatMap(({ name, make }) => ['lz4', 'gzip'].map((codec) => ({ name, make, codec }))),
)('a file store that compresses with $codec: $name', ({ codec, name, make }) => {
  test('gives what was written, smaller on the disk, ranges too, and after a crash', async () => {
    const dir = emptyDir()
    const store = await opened(make({ dir, codec: codecOf(codec), chunkBytes: 4096 * 4 }))
    const sizes = [0, 1, 300, 5000, 60_000, 70_000, 400_000]
    for (const size of sizes) await mustPut(store, `k${size}`, textOf(size))
    for (const size of sizes) {
      const entry = await mustFind(store, `k${size}`)
      expectBytes(await readAll(entry, 10_007), textOf(size))
      if (size >= 5000) {
        expect(entry.metadata.compression).toMatchObject({ codec })
        expect(entry.metadata.compression!.storedSize).toBeLessThan(size / 2)
      }
      const target = Buffer.alloc(10)
      if (size > 100) {
        const read = await entry.read(target, size - 20)
        expectBytes(target.subarray(0, read), textOf(size).subarray(size - 20, size - 20 + read))
      }
      expect(await store.revise(`k${size}`, entry, metadataFor(size, { etag: '"2"' }))).toBe(true)
      entry.release()
      expect((await readValue(store, `k${size}`))?.equals(textOf(size))).toBe(true)
    }
    for await (const [key, { compression }] of store.entries()) {
      // Natively a list does not say it.
      if (key === 'k5000' && name === 'js') expect(compression?.codec).toBe(codec)
    }
    expect(store.stats().compression?.compressed).toBeGreaterThan(0)
    expect(store.stats().writeAmplification).toBeLessThan(1)
    const left = killed(dir)
    await store.close()
    // Whoever opens it reads it, whatever he compresses with himself.
    const again = await opened(make({ dir: left }))
    for (const size of sizes) expectBytes(await readValue(again, `k${size}`), textOf(size))
    expect(blocksOf(left)).toBeLessThanOrEqual(again.stats().bytes)
    await again.close()
  })
})

test.each(enginesOfPath())(
  'an own compressor that is not there makes a miss, and destroys nothing: $name',
  async ({ make }) => {
    const dir = emptyDir()
    const store = await opened(make({ dir, codec: codecOf(own) }))
    await mustPut(store, 'packed', Buffer.alloc(5000))
    await mustPut(store, 'blob', Buffer.alloc(300_000))
    expect((await mustFind(store, 'packed')).metadata.compression).toMatchObject({
      codec: 'rot13',
      storedSize: 4,
    })
    await store.close()
    for (const codec of [codecOf('none'), codecOf({ ...own, name: 'rot26' })]) {
      const without = await opened(make({ dir, codec }))
      expect(await without.find('packed')).toBeUndefined()
      expect(await without.find('blob')).toBeUndefined()
      expect(without.stats()).toMatchObject({ entries: 2, corrupt: 0 })
      await without.close()
    }
    const again = await opened(make({ dir, codec: codecOf(own) }))
    expectBytes(await readValue(again, 'packed'), Buffer.alloc(5000))
    expectBytes(await readValue(again, 'blob'), Buffer.alloc(300_000))
    expect(await put(again, 'blob', Buffer.alloc(10, 1))).toBe(true)
    await again.close()
  },
)

/*
 * Codecs by level and kind of content: how many times smaller chunks of 64 KiB get, and how fast they are compressed and
 * decompressed, one at a time and eight. Contestants take turns, the median of the rounds counts, and every byte that comes
 * back is compared. Speed is that of the bytes that are not compressed.
 */
import { strict as assert } from 'node:assert'
import { createChunkCodec, readCompression } from '../../../dist/compression/index.js'
import { zstd } from '../../../dist/compression/zstd.js'
import { median } from '../../shared/statistics.mjs'
import { digits } from '../../shared/table.mjs'
import { kinds } from '../contents/kinds.mjs'

const KiB = 1024
const CHUNK = 64 * KiB
const CHUNKS = 16
const OUT = [1, 8]
const OPTIONS = [
  { codec: 'lz4' },
  ...[1, 6, 9].map((level) => ({ codec: 'gzip', level })),
  ...(zstd(1).unavailable === undefined ? [1, 3, 9, 19] : []).map((level) => ({ codec: 'zstd', level })),
]
const nameOf = ({ codec, level }) => (level === undefined ? codec : `${codec} ${level}`)

export async function suite({ quick }) {
  const rounds = quick ? 1 : 5
  const ms = quick ? 20 : 60
  const contents = kinds(CHUNK * CHUNKS)
  const contestants = []
  for (const option of OPTIONS) {
    const { compressor } = readCompression(option)
    for (const [kind, bytes] of contents) contestants.push(await prepared(option, kind, compressor, bytes))
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of contestants) {
      for (const out of OUT) {
        for (const work of ['compress', 'decompress']) {
          contestant.samples[work][out].push(await contestant[work](out, ms))
        }
      }
    }
  }
  const rate = (contestant, work, out) => median(contestant.samples[work][out])
  const show = (bytesPerSecond) => digits(bytesPerSecond / 1e6)
  const skipping = await noiseSkipped(contents.get('JPEG-like'), ms)
  const find = (name, kind) => contestants.find((one) => one.name === name && one.kind === kind)
  const ratio = rate(find('lz4', 'JSON'), 'decompress', 8) / rate(find('gzip 6', 'JSON'), 'decompress', 8)
  const tried = rate(find('lz4', 'JPEG-like'), 'compress', 1)
  return {
    notes: [
      `median of ${rounds}, chunks of 64 KiB, every byte compared; MB/s of what is not compressed, 1 chunk at a time and 8`,
      ...(zstd(1).unavailable === undefined ? [] : [`no zstd: ${zstd(1).unavailable}`]),
    ],
    table: [
      ['', 'ratio', 'compress, 1', 'compress, 8', 'decompress, 1', 'decompress, 8'],
      ...[...contents.keys()].flatMap((kind) =>
        contestants
          .filter((one) => one.kind === kind)
          .map((one) => [
            `${kind}: ${one.name}`,
            digits(one.ratio),
            ...['compress', 'decompress'].flatMap((work) => OUT.map((out) => show(rate(one, work, out)))),
          ]),
      ),
    ],
    claims: [
      {
        what: 'JSON, 8 at a time, lz4 is decompressed at least twice as fast as gzip',
        actual: `${digits(ratio)} ×`,
        holds: ratio >= 2,
      },
      {
        what: 'what does not get smaller costs a value of 256 chunks at most a fifth of trying each of them, lz4',
        actual: `${digits(skipping / tried)} ×, ${show(skipping)} MB/s`,
        holds: skipping >= 5 * tried,
      },
    ],
  }
}

async function prepared(option, kind, compressor, bytes) {
  const chunks = Array.from({ length: CHUNKS }, (_, at) => bytes.subarray(at * CHUNK, (at + 1) * CHUNK))
  const stored = await Promise.all(chunks.map((chunk) => compressor.compress(chunk)))
  for (const [at, one] of stored.entries()) {
    assert.equal(Buffer.compare(await compressor.decompress(one, CHUNK), chunks[at]), 0)
  }
  const size = stored.reduce((sum, { length }) => sum + length, 0)
  const samples = () => Object.fromEntries(OUT.map((out) => [out, []]))
  return {
    name: nameOf(option),
    kind,
    ratio: bytes.length / size,
    samples: { compress: samples(), decompress: samples() },
    compress: (out, ms) => speed(out, ms, (at) => compressor.compress(chunks[at])),
    decompress: (out, ms) =>
      speed(out, ms, async (at) => {
        const whole = await compressor.decompress(stored[at], CHUNK)
        assert.equal(Buffer.compare(whole, chunks[at]), 0)
      }),
  }
}

/** Bytes a second of `work` on one chunk after the other, `out` of them at a time, for at least `ms`. */
async function speed(out, ms, work) {
  const begun = performance.now()
  let next = 0
  let done = 0
  const run = async () => {
    while (performance.now() - begun < ms) {
      await work(next++ % CHUNKS)
      done += 1
    }
  }
  await Promise.all(Array.from({ length: out }, run))
  return (done * CHUNK * 1000) / (performance.now() - begun)
}

/** Bytes a second of values of 256 chunks that do not get smaller, as a store puts them away. */
async function noiseSkipped(bytes, ms) {
  const codec = createChunkCodec(readCompression({ codec: 'lz4', concurrency: 1 }))
  const begun = performance.now()
  let done = 0
  do {
    const encoder = codec.encoder()
    for (let at = 0; at < 256; at += 1) {
      const from = (at % CHUNKS) * CHUNK
      const chunk = await encoder.encode(bytes.subarray(from, from + CHUNK))
      assert.equal(chunk.codec, 0)
      done += 1
    }
  } while (performance.now() - begun < ms)
  return (done * CHUNK * 1000) / (performance.now() - begun)
}

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/*
 * The request traces that the bench plays, and the sizes of cache that it plays them to. They are not part of
 * the project; each is gzip'd little-endian uint32: ids that are dense, or pairs of id and size in bytes.
 */

const MiB = 2 ** 20

/** What an entry weighs in a trace without sizes, so that shares of the capacity are finer than entries. */
export const UNIT = 4096

const mebibytes = (sizes) => sizes.map((size) => ({ label: `${size} MiB`, bytes: size * MiB }))
const entries = (counts) => counts.map((count) => ({ label: String(count), bytes: count * UNIT }))

/** What is played, what it is, and to which sizes of cache: bytes where the trace has sizes, else entries. */
export const TRACES = [
  {
    name: 'web-objects.sized',
    what: 'web requests with sizes',
    sizes: mebibytes([1, 4, 8, 16, 32, 64, 128]),
  },
  {
    name: 'cloudphysics.sized',
    what: 'blocks of a virtual disk, with sizes',
    sizes: mebibytes([128, 256, 384, 512, 640, 768, 896, 1024]),
  },
  { name: 'oltp', what: 'pages of a database', sizes: entries([250, 500, 1000, 2000, 5000, 10_000, 30_000]) },
  {
    name: 'p3',
    what: 'blocks of a workstation',
    sizes: entries([10_000, 25_000, 50_000, 100_000, 200_000, 400_000]),
  },
  { name: 'sprite', what: 'files of a network file system', sizes: entries([100, 200, 400, 600, 800, 1000]) },
  { name: 'multi3', what: 'four programs at once', sizes: entries([200, 400, 800, 1200, 2000, 3000]) },
  {
    name: 'gli',
    what: 'a text search, in loops',
    sizes: entries([250, 500, 750, 1000, 1250, 1500, 1750, 2000]),
  },
  {
    name: '2_pools',
    what: 'an index and its records, in turn',
    sizes: entries([100, 450, 1000, 2000, 3000, 5000]),
  },
  { name: 'loop', what: 'one loop, over and over', sizes: entries([100, 250, 500, 750, 900, 1000]) },
]

/**
 * The folder with the traces.
 *
 * @throws when the environment names none, or it has none
 */
export function tracesFolder() {
  const folder = process.env.DREY_TRACES
  if (folder === undefined)
    throw new Error('DREY_TRACES is not set: it names the folder with the request traces')
  if (!existsSync(join(folder, 'oltp.u32.gz')))
    throw new Error(`DREY_TRACES: there are no traces in ${folder}`)
  return folder
}

/**
 * The requests of a trace, or the first `most` of them.
 *
 * @param {string} folder
 * @param {string} name
 * @param {number} [most]
 * @returns {{ ids: Uint32Array, sizes: Uint32Array | undefined, words: Uint32Array }}
 */
export function loadTrace(folder, name, most = Number.POSITIVE_INFINITY) {
  const bytes = gunzipSync(readFileSync(join(folder, `${name}.u32.gz`)))
  const all = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  const step = name.endsWith('.sized') ? 2 : 1
  const length = Math.min(most, all.length / step)
  const words = all.subarray(0, length * step)
  if (step === 1) return { ids: words, sizes: undefined, words }
  return {
    ids: Uint32Array.from({ length }, (_, at) => words[2 * at]),
    sizes: Uint32Array.from({ length }, (_, at) => words[2 * at + 1]),
    words,
  }
}

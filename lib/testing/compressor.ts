import { type Compressor, MAX_CHUNK } from '../compression/compressor.js'
import { IN_HAND } from '../store/store.js'
import { fails, holds, same, sameBytes } from './check.js'
import { contentsOf } from './contents.js'
import { type Random, randomOf } from './random.js'
import { type Case, caseOf, type Suite } from './suite.js'

const KiB = 1024
const AROUND = [4 * KiB, IN_HAND].flatMap((border) => [border - 1, border, border + 1])
const SIZES = [1, 2, 3, 4, 255, 256, ...AROUND, MAX_CHUNK - 1, MAX_CHUNK]
/** Random damages, and random values. */
const ROUNDS = 400

/** What a compressor can do beside what each must. */
export interface CompressorCapabilities {
  /** Others of the same name, whose output it must read, too: of other levels, or of earlier versions. */
  readonly older?: ReadonlyArray<() => Compressor>
}

/**
 * What every compressor must do: C1 to C6 of the `Compressor` contract. Where it has `compressSync` and `decompressSync`, these must, too.
 *
 * @param make gives one that can be used in this process
 */
export function compressorSuite(make: () => Compressor, can: CompressorCapabilities = {}): Suite {
  const check = (rule: string, what: string, run: (compressor: Compressor) => Promise<void> | void): Case =>
    caseOf(rule, what, () => run(make()))
  return [
    check('name', 'it is named, and can be used', ({ name, unavailable, syncBytes }) => {
      holds(/^[a-z0-9._-]{1,32}$/.test(name), 'name', '1 to 32 of a-z, 0-9, ".", "_" and "-"', name)
      same(unavailable, undefined, 'unavailable')
      for (const bytes of [syncBytes?.compress, syncBytes?.decompress]) {
        const isAmount =
          bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= IN_HAND)
        holds(isAmount, 'syncBytes', '0 to 65,536', bytes)
      }
    }),
    ...SIZES.map((size) =>
      check('C1', `gives back what it was given: ${size} bytes`, async (compressor) => {
        for (const [kind, bytes] of contentsOf(size)) {
          const made = await compressor.compress(bytes)
          sameBytes(await compressor.decompress(made, size), bytes, kind)
          if (compressor.decompressSync !== undefined) {
            sameBytes(compressor.decompressSync(made, size), bytes, `${kind}, decompressed at once`)
          }
          if (compressor.compressSync !== undefined) {
            const atOnce = compressor.compressSync(Uint8Array.from(bytes))
            sameBytes(await compressor.decompress(atOnce, size), bytes, `${kind}, compressed at once`)
          }
        }
      }),
    ),
    check('C1', 'whatever the bytes', async (compressor) => {
      const random = randomOf(1)
      for (let round = 0; round < 50; round += 1) {
        const bytes = random.bytes(1 + random.below(3000))
        const made = await compressor.compress(bytes)
        sameBytes(await compressor.decompress(made, bytes.length), bytes, `${bytes.length} random bytes`)
      }
    }),
    check(
      'C2',
      'the input stays as it is, and is not read once the promise has settled',
      async (compressor) => {
        for (const [kind, bytes] of contentsOf(20_000)) {
          const input = Uint8Array.from(bytes)
          const made = await compressor.compress(input)
          sameBytes(input, bytes, `${kind}, the input of compress`)
          input.fill(0xdd)
          const stored = Uint8Array.from(made)
          const whole = await compressor.decompress(stored, bytes.length)
          sameBytes(stored, made, `${kind}, the input of decompress`)
          stored.fill(0xdd)
          sameBytes(whole, bytes, `${kind}, after the memory of the inputs was used again`)
        }
      },
    ),
    check('C2', 'also what works at once leaves its input alone', async (compressor) => {
      const { compressSync, decompressSync } = compressor
      for (const [kind, bytes] of contentsOf(5000)) {
        const made = await compressor.compress(bytes)
        if (compressSync !== undefined) {
          const input = Uint8Array.from(bytes)
          const atOnce = compressSync.call(compressor, input)
          sameBytes(input, bytes, `${kind}, the input of compressSync`)
          input.fill(0xdd)
          sameBytes(
            await compressor.decompress(atOnce, 5000),
            bytes,
            `${kind}, after its memory was used again`,
          )
        }
        if (decompressSync !== undefined) {
          const stored = Uint8Array.from(made)
          const whole = decompressSync.call(compressor, stored, 5000)
          sameBytes(stored, made, `${kind}, the input of decompressSync`)
          stored.fill(0xdd)
          sameBytes(whole, bytes, `${kind}, after its memory was used again`)
        }
      }
    }),
    check('C2', 'also in the middle of larger memory', async (compressor) => {
      for (const [kind, bytes] of contentsOf(5000)) {
        const around = new Uint8Array(7000).fill(0xee)
        around.set(bytes, 1001)
        const made = await compressor.compress(around.subarray(1001, 6001))
        const aside = new Uint8Array(made.length + 99).fill(0xee)
        aside.set(made, 33)
        sameBytes(await compressor.decompress(aside.subarray(33, 33 + made.length), 5000), bytes, kind)
        const untouched = [...around.subarray(0, 1001), ...around.subarray(6001)].every(
          (byte) => byte === 0xee,
        )
        holds(untouched, 'the memory around the input', 'what it was', 'other bytes')
      }
    }),
    check('C3', 'what it made stays as it is while it makes more', async (compressor) => {
      const kept: Array<[Uint8Array, Uint8Array, Uint8Array, Uint8Array]> = []
      for (const [, bytes] of contentsOf(9000)) {
        const made = await compressor.compress(bytes)
        // A copy, so that what comes of it is checked even where what was made does not stay.
        const copy = Uint8Array.from(made)
        kept.push([made, copy, await compressor.decompress(copy, bytes.length), bytes])
      }
      for (const [made, before, whole, bytes] of kept) {
        sameBytes(made, before, 'what compress made')
        sameBytes(whole, bytes, 'what decompress made')
        whole.fill(0)
        sameBytes(made, before, 'what compress made, after what decompress made was written to')
      }
    }),
    check('C4', 'damaged bytes give as many as there must be, or an error', async (compressor) => {
      const made = await Promise.all(contentsOf(3000).map(([, bytes]) => compressor.compress(bytes)))
      const random = randomOf(4)
      for (let round = 0; round < ROUNDS; round += 1) {
        await bounded(compressor, damaged(random.pick(made), random), 3000)
      }
    }),
    ...[1, 100, 2999, 3001, MAX_CHUNK].map((size) =>
      check('C4', `${size} bytes were not what it made of 3000`, async (compressor) => {
        for (const [, bytes] of contentsOf(3000)) {
          await bounded(compressor, await compressor.compress(bytes), size)
        }
      }),
    ),
    check('C4', 'lengths that it says itself are not believed', async (compressor) => {
      const made = await compressor.compress(new Uint8Array(3000))
      for (let at = 0; at + 4 <= made.length; at += 1) {
        const hostile = Uint8Array.from(made)
        hostile.fill(0xff, at, at + 4)
        await bounded(compressor, hostile, 3000)
      }
      await bounded(compressor, await compressor.compress(new Uint8Array(MAX_CHUNK)), 1)
    }),
    check('C5', 'what was compressed otherwise is read', async (compressor) => {
      // Its own, of another instance, at the least.
      for (const other of [make, ...(can.older ?? [])]) {
        same(other().name, compressor.name, 'the name of the other')
        if (other === make && can.older === undefined) continue
        for (const size of [1, 4 * KiB, 64 * KiB]) {
          for (const [kind, bytes] of contentsOf(size)) {
            sameBytes(await compressor.decompress(await other().compress(bytes), size), bytes, kind)
          }
        }
      }
    }),
    check('C6', 'many at once', async (compressor) => {
      const all = [...Array(20).keys()].flatMap((seed) => contentsOf(1000 + 371 * seed, seed))
      const made = await Promise.all(all.map(([, bytes]) => compressor.compress(bytes)))
      const whole = await Promise.all(made.map((one, at) => compressor.decompress(one, all[at]![1].length)))
      for (const [at, [kind, bytes]] of all.entries())
        sameBytes(whole[at], bytes, `${kind}, one of ${all.length}`)
    }),
  ]
}

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  switch (random.below(5)) {
    case 0:
      copy[random.below(copy.length)]! ^= 1 << random.below(8)
      return copy
    case 1:
      return copy.subarray(0, random.below(copy.length))
    case 2:
      return Uint8Array.from([...copy, ...random.bytes(1 + random.below(64))])
    case 3: {
      const over = random.bytes(1 + random.below(8))
      const at = random.below(copy.length)
      copy.set(over.subarray(0, copy.length - at), at)
      return copy
    }
    default:
      return random.bytes(random.below(200))
  }
}

/** Of whatever bytes, not more than `size` come, or an error; at once as later. */
async function bounded(compressor: Compressor, bytes: Uint8Array, size: number): Promise<void> {
  const whole = await Promise.resolve()
    .then(() => compressor.decompress(bytes, size))
    .catch((error: unknown) => {
      if (!(error instanceof Error)) fails('what decompress rejects with', 'an Error', error)
      return undefined
    })
  // A compressor may find nothing wrong with the length and leave it to its caller; but never give more than that.
  const given = whole?.length ?? 0
  holds(given <= size, `what decompress gives of ${bytes.length} damaged bytes`, `at most ${size}`, given)
  if (compressor.decompressSync === undefined) return
  let atOnce: Uint8Array | undefined
  try {
    atOnce = compressor.decompressSync(bytes, size)
  } catch (error) {
    if (!(error instanceof Error)) fails('what decompressSync throws', 'an Error', error)
  }
  same(atOnce?.length, whole?.length, 'how many bytes decompressSync gives, beside decompress')
}

import { describe, expect, test } from 'vitest'
import { DreyError } from '../../../../lib/errors.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import type { Store } from '../../../../lib/store/store.js'
import { bytesOf, metadataFor, readAll } from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { emptyDir, fileStoreOf, opened } from '../../../helpers/file-rig.js'

/*
 * `setAll` of a file store while each call of the system fails once: all of the batch, or nothing of it, now and after the next opening. By default at
 * some positions; `DREY_ROUNDS=10000` tries every one.
 */

const KiB = 1024
/** Beside the long job, one position of so many. */
const STRIDE = Number(process.env['DREY_ROUNDS'] ?? 0) > 1000 ? 1 : 5
const CONFIG: Partial<FileConfig> = {
  maxBytes: 2048 * KiB,
  maxItemBytes: 128 * KiB,
  segmentBytes: 128 * KiB,
  packLimit: 8 * KiB,
  chunkBytes: 4 * KiB,
}
const SIZES = [10, 6000, 30_000, 90_000]
const batch = (name: string) =>
  SIZES.map((size, at) => ({
    key: `k${at}`,
    bytes: bytesOf(size, name + at),
    metadata: metadataFor(size, { etag: name }),
  }))

/** Which batch is there; fails where it is not whole. */
async function whole(store: Store): Promise<string | undefined> {
  const names = new Set<string>()
  for (const [at, size] of SIZES.entries()) {
    const entry = await store.find(`k${at}`)
    if (entry === undefined) continue
    const name = entry.metadata.etag!
    names.add(name)
    expect((await readAll(entry)).equals(bytesOf(size, name + at))).toBe(true)
    entry.release()
  }
  expect([...names].length).toBeLessThanOrEqual(1)
  return [...names][0]
}

/** Sets one batch over another with call number `failing` failed; says how many calls that made. */
async function run(more: Partial<FileConfig>, failing: number, code: string): Promise<number> {
  const config = { ...CONFIG, ...more, dir: emptyDir() }
  const env = new FaultEnv()
  const store = await opened(fileStoreOf(config, { env }))
  expect(await store.setAll!(batch('one'))).toBe(true)
  const from = env.calls.length
  env.onCall = ({ index }) => (index === from + failing ? { code } : undefined)
  let done: boolean | undefined
  try {
    done = await store.setAll!(batch('two'))
  } catch (error) {
    if (!(error instanceof DreyError)) throw error
  }
  const calls = env.calls.length - from
  env.onCall = () => undefined
  const now = await whole(store)
  if (done === true) expect(now).toBe('two')
  else expect(now).toBe('one')
  expect(await store.setAll!(batch('three'))).toBe(true)
  expect(await whole(store)).toBe('three')
  expect(store.stats().pinnedBytes).toBe(0)
  await store.close()
  const again = await opened(fileStoreOf(config))
  expect(await whole(again)).toBe('three')
  await again.close()
  return calls
}

describe.runIf(process.platform === 'linux')('a batch while the disk fails', () => {
  test.each(['process', 'power'] as const)(
    'is all or nothing: %s',
    { timeout: 120_000 },
    async (durability) => {
      const calls = await run({ durability }, -1, 'EIO')
      expect(calls).toBeGreaterThan(3)
      for (let at = 0; at < calls; at += STRIDE) {
        const code = ['EIO', 'ENOSPC'][at % 2]!
        try {
          await run({ durability }, at, code)
        } catch (error) {
          throw new Error(`with ${code} at call ${at}`, { cause: error })
        }
      }
    },
  )
})

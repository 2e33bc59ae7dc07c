import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { segmentName } from '../../../../lib/store/file/format/names.js'
import { KIND } from '../../../../lib/store/file/format/record.js'
import { keyIdOf } from '../../../../lib/store/file/js/core.js'
import { openEntry } from '../../../../lib/store/file/js/reader.js'
import type { JsFileStore } from '../../../../lib/store/file/js/store.js'
import type { Draft } from '../../../../lib/store/store.js'
import { begin, bytesOf, metadataFor, mustPut, put, readValue } from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { recordsOf } from '../../../helpers/file-log.js'
import { killed } from '../../../helpers/file-model.js'
import { emptyDir, enginesOfPath, fileStoreOf, opened } from '../../../helpers/file-rig.js'
import { gate } from '../../../helpers/gate.js'

/* What changes see of each other while they are on their way, and what of them is there after a crash. */

/** A store whose writes to the log wait from now on. */
async function slow(dir = emptyDir()): Promise<{
  readonly store: Awaited<ReturnType<typeof opened>>
  readonly hold: () => ReturnType<typeof gate>
}> {
  const env = new FaultEnv()
  const store = await opened(fileStoreOf({ dir }, { env }))
  return {
    store,
    hold: () => {
      const held = gate()
      env.onCall = ({ name }) => (name === 'write' ? held.opened.then(() => undefined) : undefined)
      return held
    },
  }
}

async function written(store: Parameters<typeof begin>[0], key: string, size: number): Promise<Draft> {
  const draft = await begin(store, key)
  expect(await draft.write(bytesOf(size, key))).toBe(true)
  return draft
}

describe('changes on their way', () => {
  test('a delete that is asked for while a put is being written wins', async () => {
    const dir = emptyDir()
    const { store, hold } = await slow(dir)
    await mustPut(store, 'k', bytesOf(10, 'old'))
    for (const size of [10, 100_000]) {
      const draft = await written(store, 'k', size)
      // A blob is written before its record: only that waits.
      const held = size > 1000 ? undefined : hold()
      const committed = draft.commit(metadataFor(size))
      await new Promise((resolve) => setImmediate(resolve))
      const deleted = store.delete('k')
      expect(await store.find('k')).toBeUndefined()
      held?.open()
      await committed
      await deleted
      expect(await store.find('k')).toBeUndefined()
    }
    const left = killed(dir)
    await store.close()
    const again = await opened(fileStoreOf({ dir: left }))
    expect(await again.find('k')).toBeUndefined()
    expect(again.stats().entries).toBe(0)
    await again.close()
  })

  test('a clear that is asked for while puts are being written wins', async () => {
    const { store, hold } = await slow()
    const drafts = [await written(store, 'a', 10), await written(store, 'b', 10)]
    const held = hold()
    const committed = drafts.map((draft) => draft.commit(metadataFor(10)))
    await new Promise((resolve) => setImmediate(resolve))
    const cleared = store.clear()
    held.open()
    await Promise.all([...committed, cleared])
    expect(store.stats().entries).toBe(0)
    await mustPut(store, 'a', bytesOf(10, 'after'))
    expect(await readValue(store, 'a')).toEqual(bytesOf(10, 'after'))
    await store.close()
  })

  test.each(enginesOfPath())(
    'a draft that began before a delete or a clear does not commit; one that began before a put does: $name',
    async ({ make }) => {
      const store = await opened(make())
      for (const [change, commits] of [
        [() => store.delete('k'), false],
        [() => store.clear(), false],
        [() => put(store, 'k', bytesOf(10, 'put')), true],
      ] as const) {
        for (const size of [10, 100_000]) {
          const draft = await written(store, 'k', size)
          await change()
          expect(await draft.commit(metadataFor(size))).toBe(commits)
          expect(draft.fenced).toBe(!commits)
        }
      }
      expect(store.stats().pinnedBytes).toBe(0)
      await store.close()
    },
  )

  test('a find does not see a put before it is written', async () => {
    const { store, hold } = await slow()
    await mustPut(store, 'k', bytesOf(10, 'old'))
    const draft = await written(store, 'k', 20)
    const held = hold()
    const committed = draft.commit(metadataFor(20))
    await new Promise((resolve) => setImmediate(resolve))
    expect(await readValue(store, 'k')).toEqual(bytesOf(10, 'old'))
    held.open()
    expect(await committed).toBe(true)
    expect(await readValue(store, 'k')).toEqual(bytesOf(20, 'k'))
    await store.close()
  })

  test('what is acknowledged before it is written is found', async () => {
    const store = await opened(fileStoreOf({ durability: 'none' }))
    for (let index = 0; index < 20; index += 1) {
      await mustPut(store, 'k', bytesOf(100 + index, index))
      expect(await readValue(store, 'k')).toEqual(bytesOf(100 + index, index))
      if (index % 3 === 0) {
        expect(await store.delete('k')).toBe(true)
        expect(await store.find('k')).toBeUndefined()
      }
    }
    await store.close()
  })

  test('a delete that cannot be written rejects, stays in force, and can be asked for again', async () => {
    const dir = emptyDir()
    const env = new FaultEnv()
    const store = await opened(fileStoreOf({ dir }, { env }))
    await mustPut(store, 'k', bytesOf(10, 'k'))
    env.onCall = ({ name }) => (name === 'write' ? { code: 'EIO' } : undefined)
    await expect(store.delete('k')).rejects.toMatchObject({ code: 'ERR_DREY_IO' })
    expect(await store.find('k')).toBeUndefined()
    env.onCall = () => undefined
    await store.delete('k')
    const left = killed(dir)
    await store.close()
    const again = await opened(fileStoreOf({ dir: left }))
    expect(await again.find('k')).toBeUndefined()
    await again.close()
  })

  test('who has the identity of another key is not answered with its value', async () => {
    const store = (await opened(fileStoreOf())) as unknown as JsFileStore
    for (const size of [10, 100_000]) {
      await mustPut(store, 'k', bytesOf(size, 'k'))
      const { header, index } = store.core
      const id = keyIdOf(header.secret, Buffer.from('k'))
      const other = { ...id, bytes: Buffer.from('j') }
      expect(await openEntry(store, 'j', other, index.get(id.lo, id.hi)!, false)).toBe('absent')
    }
    await store.close()
  })
})

describe.each(enginesOfPath())('a batch: $name', ({ make }) => {
  async function batchDir(): Promise<string> {
    const dir = emptyDir()
    const store = await opened(make({ dir }))
    await mustPut(store, 'a', bytesOf(10, 'old'))
    await mustPut(store, 'gone', bytesOf(10, 'gone'))
    const drafts = [await written(store, 'a', 100), await written(store, 'b', 5000)]
    expect(
      await store.commitAll([
        { key: 'a', draft: drafts[0]!, metadata: metadataFor(100) },
        { key: 'b', draft: drafts[1]!, metadata: metadataFor(5000) },
        { key: 'gone', remove: true },
      ]),
    ).toBe(true)
    const left = killed(dir)
    await store.close()
    return left
  }

  test('is there whole after a crash, or not at all', async () => {
    const dir = await batchDir()
    const records = recordsOf(dir)
    expect(records.map(({ kind }) => kind)).toEqual([
      KIND.put,
      KIND.put,
      KIND.put,
      KIND.put,
      KIND.delete,
      KIND.batch,
    ])
    const bytes = readFileSync(join(dir, 'log', segmentName(1)))
    for (const cut of [
      ...records.slice(2).map(({ end }) => end),
      records[5]!.end - 8,
      records[3]!.offset + 60,
    ]) {
      const copy = killed(dir)
      writeFileSync(join(copy, 'log', segmentName(1)), bytes.subarray(0, cut))
      // Twice, for a tail is one only once.
      for (let time = 0; time < 2; time += 1) {
        const store = await opened(make({ dir: copy }))
        const whole = cut === records[5]!.end
        expect(await readValue(store, 'a')).toEqual(whole ? bytesOf(100, 'a') : bytesOf(10, 'old'))
        expect(await readValue(store, 'b')).toEqual(whole ? bytesOf(5000, 'b') : undefined)
        expect((await store.find('gone')) === undefined).toBe(whole)
        await store.close()
      }
    }
  })

  test('does not count in the middle of the log without its end, and what is older is in doubt', async () => {
    const dir = await batchDir()
    const store = await opened(make({ dir }))
    await mustPut(store, 'after', bytesOf(10, 'after'))
    const left = killed(dir)
    await store.close()
    const path = join(left, 'log', segmentName(1))
    const bytes = readFileSync(path)
    bytes[recordsOf(left)[5]!.offset + 20]! ^= 1
    writeFileSync(path, bytes)
    const again = await opened(make({ dir: left }))
    expect(await readValue(again, 'a')).toEqual(bytesOf(10, 'old'))
    expect(await again.find('b')).toBeUndefined()
    expect((await again.find('gone'))?.metadata.freshUntil).toBe(0)
    expect((await again.find('after'))?.metadata.freshUntil).toBe(4e12)
    expect(again.stats().recovery).toMatchObject({ doubt: true })
    await again.close()
  })

  test('with a draft that was fenced changes nothing', async () => {
    const store = await opened(make())
    await mustPut(store, 'a', bytesOf(10, 'old'))
    const drafts = [await written(store, 'a', 100), await written(store, 'b', 100_000)]
    await store.delete('b')
    const changes = drafts.map((draft, index) => ({
      key: 'ab'[index]!,
      draft,
      metadata: metadataFor([100, 100_000][index]!),
    }))
    expect(await store.commitAll(changes)).toBe(false)
    expect(await readValue(store, 'a')).toEqual(bytesOf(10, 'old'))
    expect(store.stats()).toMatchObject({ entries: 1, pinnedBytes: 0 })
    await store.close()
  })
})

import { DreyError } from '../../errors.js'
import type { Store, StoreChange } from '../../store/store.js'
import { holds, same, sameBytes } from '../check.js'
import type { Case } from '../suite.js'
import { bytesOf, type MakeStore, mustPut, readValue, storeCase } from './kit.js'

/** A patch that the store takes, and that differs from how it was made. */
export type Patch = Readonly<Record<string, unknown>>

const COUNT = 20
const SIZE = 20_000

function configure(store: Store, patch: Patch): StoreChange {
  if (store.configure === undefined) throw new Error('the store has no configure')
  return store.configure(patch)
}

function refuses(store: Store, patch: Patch, code: string, what: string): void {
  let thrown: unknown
  try {
    configure(store, patch)
  } catch (error) {
    thrown = error
  }
  same(thrown instanceof DreyError ? thrown.code : thrown, code, what)
}

/** Whatever is there is right, and within the bound. */
async function expectWhole(store: Store): Promise<void> {
  for (let at = 0; at < COUNT; at += 1) {
    const there = await readValue(store, `key ${at}`)
    if (there !== undefined) sameBytes(there, bytesOf(SIZE, at), `the value of key ${at}`)
  }
  const { bytes, maxBytes } = store.stats()
  holds(bytes <= maxBytes, 'stats().bytes', `at most ${maxBytes}`, bytes)
}

/** Of a store that can be changed while it runs. */
export function configureCases(make: MakeStore, patch: Patch): Case[] {
  const check = (what: string, run: (store: Store, close: () => Promise<void>) => Promise<void>): Case =>
    storeCase(make, 'configure', what, async ({ store, close }) => {
      for (let at = 0; at < COUNT; at += 1) await mustPut(store, `key ${at}`, bytesOf(SIZE, at))
      await run(store, close)
    })
  return [
    check('changes nothing before apply, and says what it would', async (store) => {
      const before = store.stats()
      const { changes } = configure(store, patch)
      holds(changes.length > 0, 'changes', 'what the patch changes', changes)
      same(store.stats(), before, 'stats() after configure without apply')
    }),
    check('what was applied holds, and harms no value', async (store) => {
      await configure(store, patch).apply()
      same(configure(store, patch).changes, [], 'changes of the same patch again')
      await expectWhole(store)
      await mustPut(store, 'after', bytesOf(SIZE, 'after'))
      sameBytes(await readValue(store, 'after'), bytesOf(SIZE, 'after'), 'the value that came after')
    }),
    check('what was undone is as it was', async (store) => {
      const change = configure(store, patch)
      await change.apply()
      await change.undo()
      same(configure(store, patch).changes, change.changes, 'changes of the patch after undo')
      await expectWhole(store)
    }),
    check('an option that there is not is refused, with the others', async (store) => {
      refuses(store, { ...patch, 'no such option': 1 }, 'ERR_DREY_CONFIG', 'what an unknown option throws')
      holds(configure(store, patch).changes.length > 0, 'changes after that', 'as before', [])
      same(configure(store, {}).changes, [], 'changes of an empty patch')
    }),
    check('a closed store is not changed', async (store, close) => {
      await close()
      refuses(store, patch, 'ERR_DREY_CLOSED', 'what configure throws after close')
    }),
  ]
}

/*
 * In a process of its own: writes ten times the bound of a js memory store, with overwrites and deletes, and says what
 * the store then thinks that it holds.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { jsMemoryStore } from '../../../dist/store/memory/js.js'
import { DEFAULT_POLICY } from '../../../dist/store/memory/options.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { metadataOf } from '../../shared/metadata.mjs'
import { randomFrom } from '../../shared/random.mjs'

const PIECE = 64 * 1024
const EMPTY_COST = 500

async function run({ maxBytes, smallest, largest, keys, declared }) {
  const store = jsMemoryStore({
    maxBytes,
    maxItemBytes: Math.max(largest, maxBytes / 8),
    maxItemFollows: false,
    policy: DEFAULT_POLICY,
    name: undefined,
  })
  store.open({ now: Date.now, onEvict: () => undefined, hearsEvictions: () => true })
  const random = randomFrom(1)
  const noise = Buffer.alloc(Math.max(largest, 1), 0x61)
  const keyAt = () => `key ${Math.floor(random() * keys)}`

  const set = (key, size) => {
    const draft = store.draft(key, declared ? size : undefined)
    for (let at = 0; at < size; at += PIECE) {
      if (!draft?.write(noise.subarray(at, Math.min(size, at + PIECE)))) return draft?.abort()
    }
    draft?.commit(metadataOf(size))
  }

  let written = 0
  for (let sets = 1; written < 10 * maxBytes; sets += 1) {
    const size = smallest === 0 ? 0 : Math.floor(smallest * (largest / smallest) ** random())
    set(keyAt(), size)
    written += Math.max(size, EMPTY_COST)
    if (sets % 5 === 0) store.delete(keyAt())
    // A server's turns end now and then; what V8 does only between turns is part of the figure.
    if (sets % 20 === 0) await turn()
  }
  const { bytes, entries, evictions } = store.stats()
  process.send({ type: 'churned', bytes, entries, evictions })
}

followParent()
process.send({ type: 'ready' })
await run(await fromParent('churn'))
await fromParent('end')
process.exit(0)

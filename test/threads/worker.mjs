import { parentPort, workerData } from 'node:worker_threads'
import { createCache, fileStore, memoryStore } from '../../dist/index.js'
import { bufferPool } from './buffer-pool.mjs'

/*
 * A worker thread with a cache over a store that has a name. It does what it is told, in the order in which it is told,
 * and says what came of it.
 */

let cache
let calls = 0
let halted = false
/** Pieces that the origin of a key is to send, and whoever waits for the next. */
const origins = new Map()

function originOf(key) {
  if (!origins.has(key)) origins.set(key, { pieces: [], wake: () => undefined })
  return origins.get(key)
}

async function* body(key) {
  const origin = originOf(key)
  for (;;) {
    while (origin.pieces.length === 0) {
      await new Promise((resolve) => {
        origin.wake = resolve
      })
    }
    const piece = origin.pieces.shift()
    if (piece === 'end') return
    if (piece === 'fail') throw new Error('the origin broke off')
    yield Buffer.from(piece)
  }
}

async function textOf(answer) {
  if (answer === undefined) return undefined
  if (answer.status !== 'ok') return { status: answer.status, outcome: answer.outcome }
  const { outcome } = answer
  let text = ''
  for await (const piece of answer) {
    text += piece
    if (workerData?.tells === true) parentPort.postMessage({ read: text })
  }
  return { status: 'ok', outcome, text }
}

const ops = {
  async open(options) {
    const store = options.dir === undefined ? memoryStore(options) : fileStore(options)
    cache = await createCache({ bufferPool, tiers: [store], timeouts: { shutdown: 0 } })
  },
  fetch: async (key, size, tags) =>
    textOf(
      await cache.fetch(key, () => {
        calls += 1
        return {
          body: body(key),
          ...(size === undefined ? {} : { size }),
          ...(tags === undefined ? {} : { tags }),
        }
      }),
    ),
  get: async (key) => textOf(await cache.get(key)),
  set: async (key, text, tags = []) => void (await cache.set(key, text, { tags })),
  invalidate: (tags, soft = false) => cache.invalidateTags(tags, { soft }),
  delete: (key) => cache.delete(key),
  clear: () => cache.clear(),
  configure: (tier) => cache.configure({ tiers: [tier] }),
  /** Sets and gets keys, with a value that each of them says, until `halt`; says how often something else came. */
  async churn(seed) {
    halted = false
    let [wrong, gets, state] = [0, 0, seed]
    while (!halted) {
      for (let i = 0; i < 200; i += 1) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        const key = `churn ${(state >>> 8) % 5000}`
        const value = key.repeat(1 + ((state >>> 8) % 200))
        if (state >>> 31 === 0) await cache.set(key, value)
        else {
          const found = cache.getSync(key)
          gets += found === undefined ? 0 : 1
          if (found !== undefined && found.value.toString() !== value) wrong += 1
        }
      }
      await new Promise(setImmediate)
    }
    return { wrong, gets }
  },
  halt() {
    halted = true
  },
  stat: (key) => cache.stat(key),
  stats: () => cache.stats().tiers[0],
  calls: () => calls,
  send(key, piece) {
    const origin = originOf(key)
    origin.pieces.push(piece)
    origin.wake()
  },
  close: () => cache.close(),
  exit: () => process.exit(0),
}

parentPort.on('message', async ({ id, op, args }) => {
  try {
    parentPort.postMessage({ id, value: await ops[op](...args) })
  } catch (error) {
    parentPort.postMessage({ id, error: { code: error.code, message: error.message } })
  }
})

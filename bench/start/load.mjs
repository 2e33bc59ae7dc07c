import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { hashOf } from './catalogue.mjs'

/*
 * Clients that ask one after the other, each for the next item of one list, and look at every byte they get.
 */

/** An answer was not what the file holds. */
export class WrongBytes extends Error {}

/** Reads a body whole; tells when its first byte came. */
async function readBody(body) {
  const pieces = []
  let firstByteAt
  for await (const piece of body) {
    firstByteAt ??= performance.now()
    pieces.push(piece)
  }
  return { bytes: pieces.length === 1 ? pieces[0] : Buffer.concat(pieces), firstByteAt }
}

/** What the cache says that it did: RFC 9211. Undefined where no cache answered. */
function outcomeOf(headers) {
  const said = headers['cache-status']
  if (said === undefined) return undefined
  return /;\s*hit\b/.test(said) ? 'hit' : /;\s*collapsed\b/.test(said) ? 'joined' : 'miss'
}

/**
 * Asks `url` for all `items`: so many `clients`, each asking for the next item when it has the last; or, with a `rate`,
 * so many requests a second whatever the answers take, with up to `clients` at a time. Rejects with `WrongBytes` at
 * the first body that is not the file's, and with an error at the first answer that is not 200.
 *
 * @param {string} url
 * @param {ReadonlyArray<{ path: string, file: string }>} items
 * @param {{
 *   clients: number,
 *   rate?: number,
 *   verify: (item: object, length: number, sha256: string) => boolean,
 *   onDone?: (done: number) => void,
 * }} how
 * @returns {Promise<{ totalMs: number[], firstByteMs: number[], outcomes: Array<string | undefined>, elapsedMs: number, bytes: number }>}
 *   times by request, from the moment of asking, waiting for one of the connections included
 */
export async function ask(url, items, { clients, rate, verify, onDone = () => undefined }) {
  const pool = new Pool(url, { connections: clients, pipelining: 1 })
  const totalMs = []
  const firstByteMs = []
  const outcomes = []
  let bytes = 0
  const askFor = async (item) => {
    const askedAt = performance.now()
    const { statusCode, headers, body } = await pool.request({ method: 'GET', path: item.path })
    const read = await readBody(body)
    const doneAt = performance.now()
    if (statusCode !== 200) {
      throw new Error(`${url}${item.path} answered ${statusCode}: ${read.bytes.toString().trim()}`)
    }
    if (!verify(item, read.bytes.length, hashOf(read.bytes))) {
      throw new WrongBytes(
        `${url}${item.path} gave ${read.bytes.length} bytes that are not those of ${item.file}`,
      )
    }
    totalMs.push(doneAt - askedAt)
    firstByteMs.push(read.firstByteAt - askedAt)
    outcomes.push(outcomeOf(headers))
    bytes += read.bytes.length
    onDone(totalMs.length)
  }
  const began = performance.now()
  try {
    await (rate === undefined ? oneByOne(items, clients, askFor) : atRate(items, rate, askFor))
  } finally {
    await pool.destroy()
  }
  return { totalMs, firstByteMs, outcomes, elapsedMs: performance.now() - began, bytes }
}

async function oneByOne(items, clients, askFor) {
  let next = 0
  const client = async () => {
    while (next < items.length) {
      next += 1
      await askFor(items[next - 1])
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

async function atRate(items, rate, askFor) {
  const asked = []
  let failed = false
  const began = performance.now()
  while (asked.length < items.length && !failed) {
    const due = Math.min(items.length, Math.floor(((performance.now() - began) / 1000) * rate))
    while (asked.length < due) {
      const answer = askFor(items[asked.length])
      // Reported by the last line; heard here, so that the asking stops.
      answer.catch(() => {
        failed = true
      })
      asked.push(answer)
    }
    await sleep(1)
  }
  await Promise.all(asked)
}

/** The status of one answer. */
export async function askStatus(url, path) {
  const pool = new Pool(url, { connections: 1 })
  try {
    const { statusCode, body } = await pool.request({ method: 'GET', path })
    await body.dump()
    return statusCode
  } finally {
    await pool.destroy()
  }
}

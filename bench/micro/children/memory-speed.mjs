/*
 * In a process of its own: one contestant, full from the start, that sets and gets when it is told to. Keys are strings
 * that are there already and whose hash V8 knows, which is the best that can happen to a Map.
 */

import { followParent, fromParent } from '../../shared/child.mjs'
import { randomFrom } from '../../shared/random.mjs'
import { percentile } from '../../shared/statistics.mjs'
import { zipf } from '../../start/zipf.mjs'
import { openContestant } from './memory-contestants.mjs'

const [contestant, level, given] = process.argv.slice(2)
const entries = Number(given)
const SIZE = 1024
const EXPONENT = 0.99

const random = randomFrom(1)
/** Twice as many keys as there is room for: half of the sets in random order evict. */
const keys = Array.from({ length: 2 * entries }, (_, index) => `key ${index}`)
for (let at = keys.length - 1; at > 0; at -= 1) {
  const other = Math.floor(random() * (at + 1))
  ;[keys[at], keys[other]] = [keys[other], keys[at]]
}
const numbers = new Map(keys.map((key, index) => [key, index]))
const body = Buffer.alloc(SIZE, 0x61)
const popular = zipf(entries, EXPONENT, random)
let fresh = 0

const { sets, gets, held } = await openContestant(contestant, level, entries, SIZE)

/** The value of the key with that number: it begins and ends with it. */
function bodyOf(index) {
  body.writeUInt32LE(index, 0)
  body.writeUInt32LE(index, SIZE - 4)
  return body
}

async function fill() {
  const { run } = Object.values(sets)[0]
  for (let index = 0; index < entries; index += 1) {
    const stored = run(keys[index], bodyOf(index))
    if (index % 1000 === 0) await stored
  }
  const found = held()
  if (found.entries !== entries) throw new Error(`holds ${found.entries} of ${entries} entries`)
}

/** Nanoseconds of a get that finds. */
function timeGets(name, count) {
  const get = gets[name]
  const picks = Uint32Array.from({ length: count }, popular)
  let sum = 0
  const start = process.hrtime.bigint()
  for (let at = 0; at < count; at += 1) sum += get(keys[picks[at]])[0]
  const ns = Number(process.hrtime.bigint() - start) / count
  let expected = 0
  for (const pick of picks) expected += pick & 0xff
  if (sum !== expected) throw new Error(`${name}: the bytes that were read are wrong`)
  return ns
}

/** Nanoseconds of a set, keys in random order. */
async function timeSets(name, count) {
  const { run, later } = sets[name]
  const picks = Uint32Array.from({ length: count }, () => random() * keys.length)
  const start = process.hrtime.bigint()
  if (later) for (let at = 0; at < count; at += 1) await run(keys[picks[at]], bodyOf(picks[at]))
  else for (let at = 0; at < count; at += 1) run(keys[picks[at]], bodyOf(picks[at]))
  return Number(process.hrtime.bigint() - start) / count
}

/** New keys until every set evicts. */
async function overflow() {
  const { run } = Object.values(sets)[0]
  for (let at = 0; at < entries / 2; at += 1) {
    const stored = run(`new ${fresh}`, bodyOf(fresh++))
    if (at % 1000 === 0) await stored
  }
}

/** Nanoseconds of single sets, each of a new key, so that each evicts. */
async function timeChurn(name, count) {
  const { run, later } = sets[name]
  const before = held().evictions
  const each = new Float64Array(count)
  for (let at = 0; at < count; at += 1) {
    const index = fresh++
    const key = `new ${index}`
    bodyOf(index)
    const start = process.hrtime.bigint()
    const stored = run(key, body)
    if (later) await stored
    each[at] = Number(process.hrtime.bigint() - start)
  }
  const evicted = before === undefined ? undefined : held().evictions - before
  if (evicted < count * 0.95) throw new Error(`${name}: ${count} sets evicted only ${evicted}`)
  return [0.5, 0.99, 0.999].map((p) => percentile(each, p))
}

/** Whole values, of keys all over: what is there must be right, and some must be there. */
function check() {
  let present = 0
  for (const [name, get] of Object.entries(gets)) {
    for (let at = 0; at < keys.length; at += 97) {
      const bytes = get(keys[at])
      if (bytes === undefined) continue
      present += 1
      const expected = bodyOf(numbers.get(keys[at]))
      if (Buffer.compare(bytes, expected) !== 0) throw new Error(`${name}: ${keys[at]} has wrong bytes`)
    }
  }
  if (present === 0) throw new Error('nothing is left')
}

// Gets come first, while everything that they ask for is there.
let overflown = false
const WORKS = { get: timeGets, set: timeSets, churn: timeChurn }

followParent()
await fill()
check()
process.send({ type: 'ready', sets: Object.keys(sets), gets: Object.keys(gets) })
for (;;) {
  const { work, name, count } = await fromParent('run')
  if (work !== 'get' && !overflown) {
    await overflow()
    overflown = true
  }
  const figure = await WORKS[work](name, count)
  check()
  process.send({ type: 'ran', figure, entries: held().entries })
}

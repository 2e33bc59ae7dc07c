import { setTimeout as sleep } from 'node:timers/promises'
import { Histogram } from '../../dist/metrics/histogram.js'
import { followParent } from '../shared/child.mjs'
import { matcherOf } from '../shared/objects.mjs'
import { openConnection } from './connection.mjs'
import { drawFrom, mixItems } from './mix.mjs'

/*
 * One process that asks. Open loop: each request has its time, whatever became of those before, and what it took counts from that time on, so that a
 * server that stops is not asked less, nor spared the wait.
 */

const [target, seed, most] = process.argv.slice(2)
const url = new URL(target)
const at = { host: url.hostname, port: Number(url.port || 80) }
const MOST_CONNECTIONS = Number(most)
const TIMEOUT_MS = 10_000
/** Errors are told by kind; of these so many. */
const MOST_KINDS = 10

followParent()
process.on('SIGINT', () => undefined)

const items = mixItems().map(({ path, size }) => ({
  path,
  size,
  request: `GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`,
  matches: matcherOf(path),
}))
const draw = drawFrom(Number(seed))

const idle = []
let open = 0
/** Requests that wait for a connection, the first first, from `next` on. */
let waiting = []
let next = 0
const running = new Set()
let tally = newTally()

function newTally() {
  return {
    sent: 0,
    answered: 0,
    bytes: 0,
    late: new Histogram(),
    all: new Histogram(),
    outcomes: {},
    errors: {},
    failed: 0,
    again: 0,
  }
}

function fail(why) {
  tally.failed += 1
  const kind = why in tally.errors || Object.keys(tally.errors).length < MOST_KINDS ? why : 'others'
  tally.errors[kind] = (tally.errors[kind] ?? 0) + 1
}

function newConnection() {
  open += 1
  const one = { request: undefined, connection: undefined }
  one.connection = openConnection(at, {
    onAnswer: ({ status, outcome, right }) => {
      const { item, due } = one.request
      done(one)
      if (status !== 200) return fail(`status ${status}`)
      if (!right) return fail('wrong bytes')
      const ns = (performance.now() - due) * 1e6
      tally.answered += 1
      tally.bytes += item.size
      tally.all.record(ns)
      tally.outcomes[outcome] ??= new Histogram()
      tally.outcomes[outcome].record(ns)
    },
    onEnd: (why, again) => {
      open -= 1
      const place = idle.indexOf(one)
      if (place >= 0) idle.splice(place, 1)
      one.gone = true
      if (one.request === undefined || why === '') return
      const { request } = one
      done(one)
      if (!again || request.again) return fail(why)
      tally.again += 1
      send(newConnection(), { ...request, again: true })
    },
  })
  return one
}

/** Its connection may take the next request, unless it has gone. */
function done(one) {
  running.delete(one)
  one.request = undefined
  if (next < waiting.length) {
    const free = one.gone ? newConnection() : one
    send(free, waiting[next])
    next += 1
    if (next === waiting.length) {
      waiting = []
      next = 0
    }
  } else if (!one.gone) idle.push(one)
}

function send(one, request) {
  one.request = request
  running.add(one)
  if (!request.again) tally.late.record((performance.now() - request.due) * 1e6)
  one.connection.ask(request.item)
}

function ask(item, due) {
  tally.sent += 1
  const request = { item, due, again: false }
  const one = idle.pop() ?? (open < MOST_CONNECTIONS ? newConnection() : undefined)
  if (one === undefined) waiting.push(request)
  else send(one, request)
}

const isDone = () => running.size === 0 && next === waiting.length

/** Those that have waited too long break off. */
function breakLate() {
  const before = performance.now() - TIMEOUT_MS
  for (const one of running) if (one.request.due < before) one.connection.end('no answer in 10 s')
}

/** Each of its items once, the least popular first, so many at a time. */
async function fill({ part, parts, together }) {
  const mine = items.filter((_, place) => place % parts === part).reverse()
  for (const item of mine) {
    while (running.size >= together) {
      await sleep(1)
      breakLate()
    }
    ask(item, performance.now())
  }
  while (!isDone()) {
    await sleep(5)
    breakLate()
  }
}

/** So many a second, evenly. */
async function load({ rate, seconds }) {
  const began = performance.now()
  const gap = 1000 / rate
  const count = Math.round(rate * seconds)
  for (let sent = 0; sent < count; ) {
    const due = Math.min(count, Math.floor((performance.now() - began) / gap) + 1)
    for (; sent < due; sent += 1) ask(items[draw()], began + sent * gap)
    breakLate()
    await sleep(1)
  }
  while (!isDone()) {
    await sleep(5)
    breakLate()
  }
}

const plain = (histogram) => {
  const { count, sum, max, buckets } = histogram.snapshot()
  return { count, sum, max, buckets: Array.from(buckets) }
}

process.on('message', async ({ type, ...how }) => {
  if (type !== 'fill' && type !== 'load') return
  tally = newTally()
  const began = performance.now()
  const cpu = process.cpuUsage()
  await (type === 'fill' ? fill(how) : load(how))
  const { user, system } = process.cpuUsage(cpu)
  const { sent, answered, bytes, failed, again, errors, late, all, outcomes } = tally
  process.send({
    type: 'done',
    ms: performance.now() - began,
    cpuMs: (user + system) / 1000,
    sent,
    answered,
    bytes,
    failed,
    again,
    errors,
    late: plain(late),
    all: plain(all),
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([name, one]) => [name, plain(one)])),
  })
})
process.send({ type: 'ready' })

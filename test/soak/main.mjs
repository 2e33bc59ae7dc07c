/*
 * Hours of use in minutes: `npm run test:soak -- [--minutes 3] [--seed 1] [--threads 3] [--speed 60]`
 *
 * One process, whose threads share a memory store and a directory, and have origins that fail, hang and break off. The clock of all caches goes
 * `speed` times as fast. Threads come, end and are killed; options change; the system refuses files, bytes of the directory change; and over an env of the js
 * engine, calls of the system fail. Ends with 1 unless every count of what must not be is 0, and the process has the files and threads that it began
 * with, and no directory a lock. Without the addon, which threads need to share, it is one thread.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { nativeStatus } from '../../dist/index.js'
import { jsFileStore } from '../../dist/store/file/js.js'
import { readFileOptions } from '../../dist/store/file/options.js'
import { verifyDirectory } from '../../dist/store/file/verify/verify.js'
import {
  closeOf,
  fileTierOptions,
  lookAt,
  MOST_BYTES,
  memoryTier,
  openShared,
  openTiers,
  ownedBy,
  reconfigurer,
} from './caches.mjs'
import { Client } from './client.mjs'
import { blocksIn, canLimit, faultyEnv, flip, openFiles, openThreads, refused } from './faults.mjs'
import { DONE, randomOf, Shared, WRONG } from './shared.mjs'

const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: process.env.DREY_SEED ?? String(Date.now() % 1_000_000_000) },
    threads: { type: 'string', default: '3' },
    speed: { type: 'string', default: '60' },
  },
})
const minutes = Number(given.minutes)
const seed = Number(given.seed)
const speed = Number(given.speed)
const isShared = nativeStatus().loaded
const threads = isShared ? Number(given.threads) : 0
if (!(minutes > 0 && seed >= 0 && speed >= 1 && threads >= 0)) {
  console.error(
    'usage: npm run test:soak -- [--minutes NUMBER] [--seed NUMBER] [--threads NUMBER] [--speed NUMBER]',
  )
  process.exit(2)
}

/** Clients of each cache of a thread. */
const CLIENTS = 3
/** How long the system may take to end threads that were told to, at most. */
const ENDING_MS = 10_000

const random = randomOf(seed)
const unhandled = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))

/** Threads that come and go: at each place one after another, so that what a place owns has one owner. */
class Crew {
  #shared
  #task
  #leaving = false
  /** Held while something has all threads stay as they are. */
  #calm = Promise.resolve()
  #places = []

  constructor(shared, task) {
    this.#shared = shared
    this.#task = task
  }

  begin() {
    this.#places = Array.from({ length: threads }, (_, place) => this.#serve(place + 1))
  }

  /** Runs `work` while nobody comes and nobody is killed. */
  calmly(work) {
    const done = this.#calm.then(work)
    this.#calm = done.catch(() => undefined)
    return done
  }

  async end() {
    this.#leaving = true
    await Promise.all(this.#places)
  }

  async #serve(place) {
    while (!this.#leaving) {
      const { worker, ended } = await this.calmly(() => this.#start(place))
      const killed = await this.#killSometime(worker, ended)
      const said = await ended
      if (!killed && said !== 'closed') {
        this.#shared.count('errors that nobody expects')
        console.error(`thread ${place}:`, said)
      }
    }
  }

  async #start(place) {
    const workerData = { ...this.#task, place, places: threads + 1, seed: random(2 ** 31), clients: CLIENTS }
    const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData })
    const opened = new Promise((resolve) => worker.once('message', resolve))
    const ended = new Promise((resolve) => {
      let last
      worker.on('message', (message) => {
        last = message
      })
      worker.on('error', (error) => {
        last = error
      })
      worker.on('exit', () => resolve(last))
    })
    await Promise.race([opened, ended])
    return { worker, ended }
  }

  /** Kills it, at whatever it is, unless the end comes before. */
  async #killSometime(worker, ended) {
    let isOver = false
    const over = ended.then(() => {
      isOver = true
    })
    await Promise.race([over, sleep(1000 + random(6000), undefined, { ref: false })])
    if (isOver || this.#shared.isOver) return false
    this.#shared.count('threads that were killed')
    await this.calmly(() => worker.terminate())
    return true
  }
}

/** Everything, once: for so many ms, below a folder of its own. */
async function soak(root, shared, ms) {
  mkdirSync(root)
  const dir = join(root, 'shared')
  const own = join(root, 'own')
  const since = performance.timeOrigin + performance.now()
  const task = { buffer: shared.buffer, dir, name: root, speed, since }
  let isFaulty = false
  const env = faultyEnv(
    random,
    15,
    () => isFaulty,
    () => shared.count('faults of the disk'),
  )
  const ownStore = jsFileStore(readFileOptions(fileTierOptions(own)), { env })
  const caches = {
    ...(await openShared(task)),
    tiers: await openTiers([memoryTier(), ownStore], { speed, since }),
  }
  const running = Object.entries(caches).flatMap(([space, cache]) => {
    const changing = new Map()
    // No other thread has tiers.
    const owned = ownedBy(0, space === 'tiers' ? 1 : threads + 1)
    const configure = reconfigurer(cache, random, shared)
    return Array.from({ length: CLIENTS }, () =>
      new Client({ shared, random, cache, space, changing, owned, configure }).run(),
    )
  })
  const crew = new Crew(shared, task)
  crew.begin()

  const end = performance.now() + ms
  while (performance.now() < end) {
    await sleep(100)
    for (const cache of Object.values(caches)) lookAt(cache, shared)
    for (const folder of [dir, own]) {
      shared.count('looks at the bounds')
      const blocks = blocksIn(folder)
      if (blocks <= MOST_BYTES) continue
      shared.count('over the bound')
      console.error(`${folder}: ${blocks} bytes on the disk`)
    }
    isFaulty = random(3) === 0
    if (random(10) === 0 && flip(dir, random)) shared.count('bytes flipped')
    if (canLimit && random(25) === 0) await crew.calmly(() => refuse(shared))
  }
  isFaulty = false
  shared.end()
  await crew.end()
  await Promise.all(running)
  for (const cache of Object.values(caches)) await closeOf(cache, shared, { last: true })
  return { dir, own }
}

/** The system refuses for a while. */
function refuse(shared) {
  shared.count('faults of the disk')
  const seconds = (50 + random(200)) / 1000
  return refused(seconds, random(2) === 0 ? { fileBytes: 64 * 1024 } : { files: openFiles() - 1 })
}

/** What is left in a directory that everybody has closed. */
async function leftIn({ dir, own }, flipped) {
  const left = { locks: [dir, own].flatMap((folder) => readdirSync(join(folder, 'LOCK'))).length, damages: 0 }
  // What was flipped on purpose is repaired first; then both are whole.
  if (flipped > 0) await verifyDirectory(dir, { repair: true })
  for (const folder of [dir, own]) {
    const { damages, unsound } = await verifyDirectory(folder)
    left.damages += damages.length + unsound
  }
  return left
}

/** Waits until there are no more of them than there were, and says how many more there are. */
async function beyond(count, before) {
  const end = performance.now() + ENDING_MS
  while (count() > before && performance.now() < end) await sleep(20)
  return Math.max(0, count() - before)
}

const root = mkdtempSync(join(tmpdir(), 'drey-soak-'))
try {
  // What a process begins once and keeps, it has after a first time.
  await soak(join(root, 'first'), new Shared(), 500)
  await sleep(500)
  const before = { files: openFiles(), threads: openThreads() }
  const shared = new Shared()
  console.log(
    `soak: ${minutes} min as ${((minutes * speed) / 60).toFixed(1)} h, ${threads + 1} threads, ${isShared ? 'native' : 'js'}, seed ${seed}`,
  )
  const folders = await soak(join(root, 'soak'), shared, minutes * 60_000)

  const counts = Object.fromEntries(WRONG.map((name) => [name, shared.of(name)]))
  const wrong = {
    ...counts,
    'unhandled rejections': unhandled.length,
    ...(await leftIn(folders, shared.of('bytes flipped'))),
    'files left open': await beyond(openFiles, before.files),
    'threads left': await beyond(openThreads, before.threads),
  }
  for (const reason of unhandled) console.error('unhandled:', reason)
  const lines = (all) =>
    Object.entries(all)
      .map(([name, count]) => `${name}: ${count}`)
      .join(', ')
  console.log(`soak, tried: ${lines(Object.fromEntries(DONE.map((name) => [name, shared.of(name)])))}`)
  console.log(`soak, found: ${lines(wrong)}`)
  if (Object.values(wrong).some((count) => count > 0)) process.exitCode = 1
} finally {
  rmSync(root, { recursive: true, force: true })
}

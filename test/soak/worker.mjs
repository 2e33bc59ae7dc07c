import { parentPort, workerData } from 'node:worker_threads'
import { closeOf, openShared, ownedBy, reconfigurer } from './caches.mjs'
import { Client } from './client.mjs'
import { randomOf, Shared } from './shared.mjs'

/* A thread of the soak: some clients over the caches that all threads share, until it is told to end, or is killed. */

const { buffer, place, places, seed, clients, ...rest } = workerData
const shared = new Shared(buffer)
const random = randomOf(seed)
const caches = await openShared(rest)
shared.count('threads that came')
parentPort.postMessage('open')

const running = Object.entries(caches).flatMap(([space, cache]) => {
  const changing = new Map()
  return Array.from({ length: clients }, () =>
    new Client({
      shared,
      random,
      cache,
      space,
      changing,
      owned: ownedBy(place, places),
      configure: reconfigurer(cache, random, shared),
    }).run(),
  )
})
await Promise.all(running)
for (const cache of Object.values(caches)) await closeOf(cache, shared, { last: false })
parentPort.postMessage('closed')

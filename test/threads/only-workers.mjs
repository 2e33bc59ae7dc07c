import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { die } from './die.mjs'

/*
 * A process whose main thread never loads the addon: worker threads do, and are terminated at random moments, three at a
 * time, so that the addon is without any environment again and again. In the end the store that they shared must be gone.
 *
 *   node only-workers.mjs DEATHS
 *
 * It ends by itself, so that what looks for leaks at the end of a process sees it all.
 */

const AT_ONCE = 3
const options = { name: 'only workers', maxBytes: 8 * 2 ** 20 }

let opened = 0
for (let left = Number(process.argv[2]); left > 0; left -= AT_ONCE) {
  const deaths = Array.from({ length: Math.min(AT_ONCE, left) }, () => die(options))
  opened += (await Promise.all(deaths)).filter(Boolean).length
}
// Nobody has the store of that name any more, so that other options do, and nothing is in it.
const last = new Worker(
  `import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}).then(({ memoryStore, createCache }) =>
     createCache({ tiers: [memoryStore(require('node:worker_threads').workerData)] })
       .then((cache) => {
         require('node:worker_threads').parentPort.postMessage(cache.stats().tiers[0])
         return cache.close()
       }))`,
  { eval: true, workerData: { ...options, maxBytes: 2 ** 20 } },
)
const [[stats]] = await Promise.all([once(last, 'message'), once(last, 'exit')])
console.log(JSON.stringify({ opened, ...stats }))

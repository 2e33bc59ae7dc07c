import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

/**
 * Runs a thread over the store of `options` that is terminated at a random moment, or exits by itself at a random step.
 * Two of three are let live until it has the store open, however long it takes to begin.
 *
 * @param {object} options those of the memory store
 * @returns {Promise<boolean>} whether it had the store open
 */
export async function die(options) {
  const exitAt = Math.random() < 0.5 ? 1 + Math.floor(Math.random() * 60) : 0
  const worker = new Worker(new URL('dying.mjs', import.meta.url), { workerData: { options, exitAt } })
  let opened = false
  const open = once(worker, 'message').then(() => {
    opened = true
  })
  const gone = once(worker, 'exit')
  if (Math.random() < 2 / 3) await Promise.race([open, gone])
  await delay(Math.random() * 150)
  await worker.terminate()
  await gone
  return opened
}

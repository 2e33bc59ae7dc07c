import { BroadcastChannel, threadId } from 'node:worker_threads'

/* A worker of the proxy that tells when it begins, and dies when it is told to. */

const channel = new BroadcastChannel('mortal')
channel.unref()
channel.onmessage = ({ data }) => {
  if (data.die === threadId) throw new Error('told to die')
}
channel.postMessage({ born: threadId })
await import(new URL('../../dist/cli/worker.js', import.meta.url).href)

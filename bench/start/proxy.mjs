import { createProxy } from '../../dist/http/index.js'
import { nativeStatus } from '../../dist/index.js'
import { followParent } from '../shared/child.mjs'

/*
 * The proxy, a process of its own: what `drey proxy` runs, and beside it somebody who tells the parent what the
 * cache counts.
 */

followParent()
// A terminal sends Ctrl-C to every process; the parent says when to stop.
process.on('SIGINT', () => undefined)

const [origin, memory, dir, disk, listen] = process.argv.slice(2)
const proxy = await createProxy({ origin, memory, dir, disk, healthz: true, listen: listen ?? 0 })

process.on('message', (message) => {
  if (message.type === 'stats') process.send({ type: 'stats', stats: proxy.cache.stats() })
})
process.on('SIGTERM', () => {
  proxy.close().then(() => process.exit(0))
})

process.send({ type: 'ready', url: await proxy.listen(), native: nativeStatus() })

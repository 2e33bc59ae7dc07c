import { startChild } from './child.mjs'

/**
 * An origin of `objects.mjs`, in a process of its own. `calls` says how often it was asked, so that a call after a path is
 * stored is a hit that was none.
 *
 * @param {{ delayMs?: number, wrap?: readonly string[] }} [how] how long it takes to answer, and what stands before its node
 */
export async function startOrigin({ delayMs = 0, wrap = [] } = {}) {
  const child = startChild(new URL('./origin-server.mjs', import.meta.url), {
    args: ['0', String(delayMs)],
    wrap,
  })
  const { url } = await child.receive('ready')
  return {
    url,
    pid: child.pid,
    calls: async () => {
      child.send({ type: 'calls' })
      return (await child.receive('calls')).calls
    },
    stop: child.stop,
  }
}

import { startChild } from '../../shared/child.mjs'

/**
 * A bare http server in a process of its own that gives these answers.
 *
 * @param {Array<[path: string, headers: string[], body: string]>} answers with bodies in base64
 * @param {{ wrap?: readonly string[], flags?: readonly string[] }} [how] what stands before its node, and flags for it
 */
export async function startBare(answers, how = {}) {
  const child = startChild(new URL('./bare.mjs', import.meta.url), how)
  await child.receive('awake')
  child.send({ type: 'answers', answers })
  const { url } = await child.receive('ready')
  return { name: 'bare http', url, pid: child.pid, stop: child.stop }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOrigin } from '../../shared/origin.mjs'
import { startBare } from './bare-server.mjs'
import { startProxy } from './drey.mjs'
import { nginx } from './nginx.mjs'
import { hitsOf } from './paths.mjs'
import { varnish } from './varnish.mjs'
import { pinned } from './wrk.mjs'

/** What each may keep. */
const BYTES = 256 * 2 ** 20
const OTHERS = [nginx, varnish]

/**
 * The servers, each on the first core, before one origin on another: drey, a bare http server that says what drey says on a hit, and of
 * nginx and Varnish those that are installed.
 *
 * @param {{ say: (text?: string) => void, originCore: number }} how
 */
export async function startContestants({ say, originCore }) {
  const folder = mkdtempSync(join(tmpdir(), 'drey-http-'))
  const started = []
  const keep = (server) => {
    started.push(server)
    return server
  }
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const origin = keep(await startOrigin({ wrap: pinned(originCore) }))
    const wrap = pinned(0)
    const drey = keep(await startProxy(origin.url, { wrap }))
    const bare = keep(await startBare(await hitsOf(drey.url), { wrap }))
    const others = []
    for (const other of OTHERS) {
      if (other.find() === undefined) {
        say(`  without ${other.name}, which is not installed; on Debian: ${other.install}`)
        continue
      }
      const dir = join(folder, other.name)
      others.push(keep(await other.start({ origin: origin.url, dir, bytes: BYTES, wrap })))
    }
    return { origin, bare, drey, others, folder, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

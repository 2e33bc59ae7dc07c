import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, freePort, startDaemon } from './daemon.mjs'

/*
 * Varnish in memory, as it comes, but that it makes room for whatever fits.
 */

const program = ({ host, port }) => `vcl 4.1;
backend origin { .host = "${host}"; .port = "${port}"; }
sub vcl_deliver {
  if (obj.hits > 0) { set resp.http.Cache-Status = "varnish; hit"; }
  else { set resp.http.Cache-Status = "varnish; fwd=miss"; }
}
`

export const varnish = {
  name: 'Varnish',
  find: () => findProgram('varnishd'),
  install: 'apt-get install -y varnish',
  /** @param {{ origin: string, dir: string, bytes: number, wrap: readonly string[] }} how */
  async start({ origin, dir, bytes, wrap }) {
    mkdirSync(dir)
    const port = await freePort()
    const { hostname, port: originPort } = new URL(origin)
    const file = join(dir, 'bench.vcl')
    writeFileSync(file, program({ host: hostname, port: originPort }))
    const options = [
      // In the foreground, without another user, without a port for its administration.
      ...['-F', '-j', 'none', '-T', 'none', '-n', join(dir, 'work')],
      ...['-a', `127.0.0.1:${port}`, '-f', file, '-s', `malloc,${bytes}`, '-p', 'thread_pools=1'],
      // Else a large body that needs the room of many small ones fails.
      ...['-p', 'nuke_limit=100000'],
    ]
    return startDaemon({
      name: this.name,
      command: [...wrap, this.find(), ...options],
      url: `http://127.0.0.1:${port}`,
    })
  },
}

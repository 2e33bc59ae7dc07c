/*
 * Installs a packed package where this runs, and uses it: `node test/install/smoke.mjs FOLDER`, with one drey-*.tgz in it.
 *
 * Where there are binaries one must be in use; on Windows the JavaScript path must be, and say why.
 */
import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [folder = '.'] = process.argv.slice(2)
const tarballs = readdirSync(folder).filter((name) => /^drey-.*\.tgz$/.test(name))
assert.equal(tarballs.length, 1, `want one drey-*.tgz in ${folder}, got ${tarballs.length}`)
const scratch = mkdtempSync(join(tmpdir(), 'drey-smoke-'))

function run(command, args, env = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    // npm is a script there, which only a shell starts.
    shell: process.platform === 'win32' && command === 'npm',
  })
  if (error !== undefined) throw error
  assert.equal(status, 0, `${command} exits with ${status}:\n${stdout}${stderr}`)
  return stdout
}

const USE = `
  import { createCache, crc32c, fileStore, memoryStore, nativeStatus } from 'drey'
  import { strict as assert } from 'node:assert'
  const tiers = () => [memoryStore({ maxBytes: '16MiB' }), fileStore({ dir: 'cache', maxBytes: '64MiB' })]
  const value = Buffer.alloc(300_000, 'drey')
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  for (const open of ['set', 'get']) {
    const cache = await createCache({ tiers: tiers() })
    if (open === 'set') await cache.set('key', value)
    else assert.deepEqual(await (await cache.get('key')).bytes(), value)
    await cache.close()
  }
  console.log(JSON.stringify(nativeStatus()))
`

try {
  writeFileSync(join(scratch, 'package.json'), '{ "private": true, "type": "module" }\n')
  writeFileSync(join(scratch, 'use.mjs'), USE)
  run('npm', ['install', '--no-audit', '--no-fund', resolve(folder, tarballs[0])])
  for (const path of ['', '0']) {
    rmSync(join(scratch, 'cache'), { recursive: true, force: true })
    const status = JSON.parse(run(process.execPath, ['use.mjs'], { DREY_NATIVE: path }))
    assert.equal(status.loaded, path === '' && process.platform !== 'win32', JSON.stringify(status))
    if (process.platform === 'win32') assert.match(status.reason, path === '' ? /Windows/ : /DREY_NATIVE=0/)
    console.log(
      `ok    Node ${process.versions.node}, ${process.platform}-${process.arch}: ${JSON.stringify(status)}`,
    )
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

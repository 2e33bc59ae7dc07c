/*
 * The newest C library that a binary asks for: `node test/install/needs.mjs FILE [AT MOST]`. Exits with 1 when that is newer than what is allowed.
 * Wants `objdump`, which comes with every compiler.
 */
import { spawnSync } from 'node:child_process'

const [file, most] = process.argv.slice(2)
if (file === undefined) {
  console.error('needs: want FILE [AT MOST], such as prebuilds/linux-x64/drey.glibc.node 2.28')
  process.exit(2)
}
const { status, stdout, stderr, error } = spawnSync('objdump', ['-T', file], { encoding: 'utf8' })
if (status !== 0) {
  console.error(`needs: objdump -T ${file}: ${error?.message ?? stderr.trim()}`)
  process.exit(2)
}
const versions = [...stdout.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [+major, +minor])
const later = ([a, b], [c, d]) => (a === c ? b - d : a - c)
const newest = versions.sort(later).at(-1)
console.log(`${file} wants ${newest === undefined ? 'no glibc' : `glibc ${newest.join('.')}`}`)
if (most !== undefined && newest !== undefined && later(newest, most.split('.').map(Number)) > 0) {
  console.error(`needs: want at most glibc ${most}: build it where the C library is no newer than that`)
  process.exitCode = 1
}

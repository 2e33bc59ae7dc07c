/*
 * Formats the C++ of this repository with clang-format, after .clang-format; with --check it only tells, and
 * fails if there is something to do.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const checking = process.argv.includes('--check')

function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(cc|h)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(join('test', 'native', 'build')))
}

/** The program inside the npm package of that name; its own launcher cannot be told from its failure. */
function clangFormat() {
  const packaged = dirname(createRequire(import.meta.url).resolve('clang-format/package.json'))
  // The one for Intel serves on Apple silicon, by translation.
  const platform = process.platform === 'darwin' ? 'darwin_x64' : `${process.platform}_${process.arch}`
  const program = join(packaged, 'bin', platform, 'clang-format')
  return existsSync(program) ? program : 'clang-format'
}

const files = ['native', join('test', 'native')].flatMap(sources)
const { error, status, stderr } = spawnSync(
  clangFormat(),
  [...(checking ? ['--dry-run', '-Werror'] : ['-i']), '--style=file', ...files],
  { cwd: root, encoding: 'utf8' },
)

if (error !== undefined) {
  console.error(`format: clang-format does not run here (${error.message}): install it, any version from 15`)
  process.exitCode = 1
} else if (status !== 0) {
  // clang-format says a line and more for every difference; the names of the files are enough.
  const named = new Set(Array.from(stderr.matchAll(/^(\S+?):\d+:\d+: error/gm), ([, file]) => file))
  console.error(
    named.size > 0 ? `format: not as npm run format would have it: ${[...named].join(', ')}` : stderr,
  )
  process.exitCode = 1
} else {
  console.log(`format: ${files.length} C++ files ${checking ? 'are as they should be' : 'formatted'}`)
}

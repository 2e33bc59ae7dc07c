/*
 * The lines of native/ that the tests in C++ ran, by folder: `make -C test/native coverage`
 *
 * By what gcov says of each object. A header is compiled into many: a line of it was run when it was run in one of them. The folder `node` needs
 * Node, and is not compiled here.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const [built, least] = process.argv.slice(2)
const native = fileURLToPath(new URL('../../native', import.meta.url))

/** Of each file of ours: its lines, and whether each was run. */
const files = new Map()

for (const name of readdirSync(built)) {
  if (!name.endsWith('.gcno')) continue
  const said = execFileSync('gcov', ['--json-format', '--stdout', name], {
    cwd: built,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    // Of an object that never ran it says so there, and gives its lines all the same.
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  for (const line of said.split('\n')) {
    if (!line.startsWith('{')) continue
    const { current_working_directory: from, files: seen } = JSON.parse(line)
    for (const { file, lines } of seen) {
      const place = relative(native, resolve(from, file))
      if (place.startsWith('..')) continue
      const all = files.get(place) ?? new Map()
      files.set(place, all)
      for (const { line_number: at, count } of lines) all.set(at, count > 0 || all.get(at) === true)
    }
  }
}

/** Of each folder: lines, and those that were run. */
const folders = new Map()
const total = { lines: 0, run: 0 }
for (const [file, lines] of files) {
  const folder = dirname(file)
  const sum = folders.get(folder) ?? { lines: 0, run: 0 }
  folders.set(folder, sum)
  for (const wasRun of lines.values()) {
    for (const each of [sum, total]) {
      each.lines += 1
      if (wasRun) each.run += 1
    }
  }
}

const percent = ({ lines, run }) => (100 * run) / lines
const show = (name, sum) =>
  console.log(
    `${name.padEnd(22)} ${percent(sum).toFixed(1).padStart(5)} % of ${String(sum.lines).padStart(6)} lines`,
  )
for (const name of [...folders.keys()].sort()) show(join('native', name), folders.get(name))
show('C++', total)
if (!(percent(total) >= Number(least))) {
  console.error(`coverage: want at least ${least} %`)
  process.exitCode = 1
}

import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'

/*
 * What a directory takes of a disk: the blocks of all that is in it, and of files that have no name any more and that a
 * process has open still. A file that is met under both is counted once.
 */

const BLOCK = 512
const GONE = ' (deleted)'

/** Of what goes away while it is looked for. */
function there(look) {
  try {
    return look()
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
    throw error
  }
}

function addFolder(path, seen) {
  const own = there(() => lstatSync(path))
  if (own === undefined) return
  seen.set(own.ino, own.blocks * BLOCK)
  for (const entry of there(() => readdirSync(path, { withFileTypes: true })) ?? []) {
    const inside = `${path}/${entry.name}`
    if (entry.isDirectory()) addFolder(inside, seen)
    else {
      const file = there(() => lstatSync(inside))
      if (file !== undefined) seen.set(file.ino, file.blocks * BLOCK)
    }
  }
}

function addUnlinked(pid, dir, seen) {
  const folder = `/proc/${pid}/fd`
  let count = 0
  for (const name of there(() => readdirSync(folder)) ?? []) {
    const link = there(() => readlinkSync(`${folder}/${name}`))
    if (link === undefined || !link.startsWith(`${dir}/`) || !link.endsWith(GONE)) continue
    const file = there(() => statSync(`${folder}/${name}`))
    if (file === undefined) continue
    seen.set(file.ino, file.blocks * BLOCK)
    count += 1
  }
  return count
}

/** @returns {{ bytes: number, unlinked: number }} `unlinked` says how many files without a name there were; Linux only */
export function blocksOf(dir, pid) {
  const seen = new Map()
  // First those without names: what loses its name after that was counted, or is counted under it.
  const unlinked = process.platform === 'linux' ? addUnlinked(pid, dir, seen) : 0
  addFolder(dir, seen)
  let bytes = 0
  for (const taken of seen.values()) bytes += taken
  return { bytes, unlinked }
}

/** The same of a process that stands still meanwhile, so that nothing is counted before and after it changed its place. */
export function blocksAtOnce(dir, pid) {
  process.kill(pid, 'SIGSTOP')
  try {
    return blocksOf(dir, pid)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

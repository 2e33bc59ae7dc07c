import { readdirSync, readFileSync } from 'node:fs'
import { residentBytes } from './resident.mjs'

/*
 * What a server costs that is several processes: one that keeps the others, those that serve, those that tidy up.
 */

const linux = process.platform === 'linux'
/** The kernel counts in hundredths of a second for every architecture that Node runs on. */
const MICROS_A_TICK = 10_000

/** The text of a file of /proc, or undefined when its process has gone. */
function proc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined
    throw error
  }
}

/** The fields of a stat file after the name, which may hold anything. */
export function statFields(path) {
  const stat = proc(path)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Processor time in the fields of a stat file, in microseconds. */
export const microsIn = (fields) => (Number(fields[11]) + Number(fields[12])) * MICROS_A_TICK

/** `pid` and all processes below it. */
export function familyOf(pid) {
  if (!linux) return [pid]
  const parents = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const fields = statFields(`${name}/stat`)
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]))
  }
  const family = new Set([pid])
  for (let before = 0; before < family.size; ) {
    before = family.size
    for (const [child, parent] of parents) if (family.has(parent)) family.add(child)
  }
  return [...family]
}

/** Processor time that a server has used, in microseconds; NaN where the system does not tell. */
export function cpuMicros(pid) {
  if (!linux) return Number.NaN
  let sum = 0
  for (const one of familyOf(pid)) {
    const fields = statFields(`${one}/stat`)
    if (fields !== undefined) sum += microsIn(fields)
  }
  return sum
}

/** Bytes of a server that are in memory: what its processes share counts once. */
export function familyResident(pid) {
  const family = familyOf(pid)
  if (family.length === 1) return residentBytes(pid)
  let own = 0
  let shared = 0
  for (const one of family) {
    const rollup = proc(`${one}/smaps_rollup`)
    if (rollup === undefined) continue
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0) * 1024
    const mine = field('Private_Clean') + field('Private_Dirty')
    own += mine
    shared = Math.max(shared, field('Rss') - mine)
  }
  return own + shared
}

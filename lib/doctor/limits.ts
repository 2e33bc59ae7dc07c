import { defaultMemoryBytes } from '../config/memory.js'
import { showSize } from '../config/units.js'
import { messageOf } from '../errors.js'
import { type Check, ok, warning } from './check.js'
import type { Machine } from './machine.js'

const MiB = 2 ** 20

/** Below that the files that a store keeps open (256 unless told otherwise) and some hundred connections fill it. */
const FEW_FILES = 1024
const LITTLE_MEMORY = 256 * MiB
/** What Linux has unless told otherwise. */
const MAPPINGS = 65_530

/** What the system lets this process have. */
export function limitChecks(machine: Machine): Check[] {
  const checks = [memoryCheck(machine)]
  const limits = look(machine, 'limits', '/proc/self/limits')
  if (typeof limits !== 'string') return [...checks, limits]
  checks.push(openFilesCheck(limits), sizesCheck(limits))
  for (const check of [overcommitCheck, mappingsCheck, hugePagesCheck]) checks.push(...check(machine))
  return checks
}

/** The text of the file, or what to say where it cannot be read. */
function look(machine: Machine, name: string, path: string): string | Check {
  try {
    return machine.read(path) ?? ok(name, `not looked at: there is no ${path} on ${machine.platform}`)
  } catch (error) {
    return warning(name, `cannot be read: ${messageOf(error)}`, `let this process read ${path}`)
  }
}

function memoryCheck(machine: Machine): Check {
  let limit: number
  try {
    limit = machine.groupLimit()
  } catch (error) {
    const says = `the control group's limit cannot be read: ${messageOf(error)}`
    return warning('memory', says, 'give memory stores a maxBytes; let this process read /sys/fs/cgroup')
  }
  const there = Math.min(limit, machine.memory)
  const whose = limit < machine.memory ? 'of the control group' : 'of the machine'
  const says = `${showSize(there)} ${whose}; a memory store without maxBytes takes ${showSize(defaultMemoryBytes(there))}`
  if (there >= LITTLE_MEMORY) return ok('memory', says)
  return warning('memory', says, "raise the control group's limit, or take the profile low-memory")
}

function limitOf(limits: string, name: string): number {
  const [, soft] = new RegExp(`^${name} +(\\S+) `, 'm').exec(limits) ?? []
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

function openFilesCheck(limits: string): Check {
  const most = limitOf(limits, 'Max open files')
  const says = `${most === Number.POSITIVE_INFINITY ? 'no limit' : `at most ${most}`}`
  if (most >= FEW_FILES) return ok('open files', says)
  return warning(
    'open files',
    `${says}; each connection and each file of a store is one`,
    'raise it: ulimit -n 65536, or LimitNOFILE= of the systemd unit; or lower fileStore.openFiles',
  )
}

function sizesCheck(limits: string): Check {
  const file = limitOf(limits, 'Max file size')
  const address = limitOf(limits, 'Max address space')
  if (file === Number.POSITIVE_INFINITY && address === Number.POSITIVE_INFINITY) {
    return ok('limits', 'none on the size of files, none on the address space')
  }
  const parts = [
    ...(Number.isFinite(file) ? [`files of at most ${showSize(file)}: larger values are refused`] : []),
    ...(Number.isFinite(address)
      ? [
          `an address space of ${showSize(address)}: a memory store reserves all of its bound, and more to grow`,
        ]
      : []),
  ]
  return warning('limits', parts.join('; '), 'lift them: ulimit -f unlimited, ulimit -v unlimited')
}

function overcommitCheck(machine: Machine): Check[] {
  const mode = look(machine, 'overcommit', '/proc/sys/vm/overcommit_memory')
  if (typeof mode !== 'string') return [mode]
  if (mode.trim() !== '2') return [ok('overcommit', `mode ${mode.trim()}: memory counts when it is used`)]
  const meminfo = look(machine, 'overcommit', '/proc/meminfo')
  if (typeof meminfo !== 'string') return [meminfo]
  const left = (kibOf(meminfo, 'CommitLimit') - kibOf(meminfo, 'Committed_AS')) * 1024
  const says = `mode 2: memory counts when it is committed; ${showSize(Math.max(0, left))} are left`
  if (left >= defaultMemoryBytes(machine.memory)) return [ok('overcommit', says)]
  return [
    warning('overcommit', says, 'lower the bounds of memory stores, or raise vm.overcommit_ratio: sysctl -w'),
  ]
}

function kibOf(meminfo: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? Number.NaN)
}

function mappingsCheck(machine: Machine): Check[] {
  const text = look(machine, 'mappings', '/proc/sys/vm/max_map_count')
  if (typeof text !== 'string') return [text]
  const most = Number(text.trim())
  const says = `at most ${most} mappings`
  if (most >= MAPPINGS) return [ok('mappings', says)]
  return [
    warning(
      'mappings',
      `${says}; memory given back in parts needs some`,
      `sysctl -w vm.max_map_count=${MAPPINGS}`,
    ),
  ]
}

function hugePagesCheck(machine: Machine): Check[] {
  const text = look(machine, 'huge pages', '/sys/kernel/mm/transparent_hugepage/enabled')
  if (typeof text !== 'string') return [text]
  const mode = /\[(\w+)\]/.exec(text)?.[1] ?? text.trim()
  if (mode !== 'never') return [ok('huge pages', `transparent, mode ${mode}`)]
  return [
    warning(
      'huge pages',
      'mode never: reads of a large memory store and the buffer pool are slower',
      'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled',
    ),
  ]
}

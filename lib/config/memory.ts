import { totalmem } from 'node:os'
import { tightestLimit } from './control-group.js'

const MiB = 2 ** 20

/** Bytes of memory that this process may use: the machine's, or that of the tightest of its control groups where that is less. */
export function memoryThereIs(machine = totalmem(), limit = limitOfGroups(machine)): number {
  // 0 or undefined where no limit is known; without a limit, cgroups report a number beyond any machine.
  return limit && limit > 0 ? Math.min(machine, limit) : machine
}

/** Bound of a memory store when none is given: a quarter of the memory there is, at most 512 MiB. */
export function defaultMemoryBytes(thereIs = memoryThereIs()): number {
  return Math.max(MiB, Math.min(512 * MiB, Math.floor(thereIs / 4)))
}

function limitOfGroups(machine: number): number | undefined {
  try {
    return tightestLimit(machine)
  } catch {
    // Groups that cannot be read are as good as none: Node knows that of the process's own group.
    return process.constrainedMemory()
  }
}

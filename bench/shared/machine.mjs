import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os'

/**
 * What a figure was measured on, without which it says nothing.
 *
 * @returns {{ node: string, v8: string, system: string, processor: string, cores: number, memoryGiB: number }}
 */
export function describeMachine() {
  return {
    node: process.version,
    v8: process.versions.v8,
    system: `${platform()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  }
}

/** The same in one line. */
export function showMachine(machine) {
  const { node, system, processor, cores, memoryGiB } = machine
  return `Node ${node} on ${system}; ${processor}, ${cores} cores, ${memoryGiB} GiB`
}

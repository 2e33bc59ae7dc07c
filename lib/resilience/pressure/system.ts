import { freemem, totalmem } from 'node:os'
import { ControlGroups, type LimitedGroup, usedBy } from '../../config/control-group.js'
import { readIfThere } from '../../config/pseudo-file.js'
import type { Thresholds } from './level.js'
import type { PressureSource, PressureSources } from './source.js'

/*
 * What the system says of memory. docs/reference/pressure.md says why these, and what each of them means.
 */

/** Percent of the last ten seconds in which some, or all, waited for memory: as much as each threshold of the ratio. */
export const STALLS = { some: [5, 10, 20, 40], full: [2, 5, 10, 20] } as const

/** What a test may put in place of the system. */
export interface SystemSeams {
  /** Before the path of every file. */
  readonly root?: string
  /** Bytes of memory that the machine has. */
  readonly machine?: number
  readonly platform?: NodeJS.Platform
}

/** The sources of this system. */
export function systemSources(
  thresholds: Thresholds,
  { root = '', machine = totalmem(), platform = process.platform }: SystemSeams = {},
): PressureSources {
  const groups = new GroupWatch(root, machine)
  return [
    [groups, meminfoSource(root), ...(platform === 'win32' ? [freeSource(machine)] : [])],
    [stallSource(root, groups, thresholds)],
  ]
}

/** Resident memory of this process, all its threads included, against a limit of its own. */
export function residentSource(
  limit: number,
  resident: () => number = process.memoryUsage.rss,
): PressureSource {
  return { name: 'rss', ratio: () => resident() / limit }
}

/** The control groups, and which of them is nearest to its limit. */
class GroupWatch implements PressureSource {
  readonly name = 'cgroup'
  /** As of the last sample. */
  tightest: LimitedGroup | undefined
  readonly #groups: ControlGroups
  readonly #machine: number

  constructor(root: string, machine: number) {
    this.#groups = new ControlGroups(root)
    this.#machine = machine
  }

  ratio(): number | undefined {
    this.tightest = undefined
    try {
      let highest: number | undefined
      for (const group of this.#groups.limited(this.#machine)) {
        // A limit of 0 is one: all that is used is too much.
        const ratio = Math.min(1, usedBy(group) / Math.max(1, group.limit))
        if (highest !== undefined && ratio <= highest) continue
        highest = ratio
        this.tightest = group
      }
      return highest
    } catch (error) {
      this.#groups.forget()
      throw error
    }
  }
}

/** What programs could have without swapping, as Linux reckons it. */
function meminfoSource(root: string): PressureSource {
  const path = `${root}/proc/meminfo`
  return {
    name: 'system',
    ratio: () => {
      const text = readIfThere(path)
      if (text === undefined) return undefined
      const total = kibibytes(text, /^MemTotal: +(\d{1,15}) kB$/m, path)
      const available = kibibytes(text, /^MemAvailable: +(\d{1,15}) kB$/m, path)
      if (total === 0) throw new Error(`${path}: MemTotal is 0`)
      return Math.max(0, 1 - available / total)
    },
  }
}

/** Where "free" means "available". On macOS and the BSDs it means "of no use to anybody", which is always little. */
function freeSource(machine: number): PressureSource {
  return { name: 'system', ratio: () => Math.max(0, 1 - freemem() / machine) }
}

/** How long memory was waited for, in the group that is nearest to its limit, or in all of the system. */
function stallSource(root: string, groups: GroupWatch, thresholds: Thresholds): PressureSource {
  const { low, normal, high, critical } = thresholds
  const steps = [low, normal, high, critical]
  return {
    name: 'stall',
    ratio: () => {
      const { tightest } = groups
      const ofGroup = tightest?.version === 2 ? `${tightest.directory}/memory.pressure` : undefined
      const path = `${root}/proc/pressure/memory`
      const text = (ofGroup === undefined ? undefined : readIfThere(ofGroup)) ?? readIfThere(path)
      if (text === undefined) return undefined
      return Math.max(
        equivalent(percent(text, 'some', ofGroup ?? path), STALLS.some, steps),
        equivalent(percent(text, 'full', ofGroup ?? path), STALLS.full, steps),
      )
    },
  }
}

function kibibytes(text: string, line: RegExp, path: string): number {
  const found = line.exec(text)
  if (found === null) throw new Error(`${path}: want a line like ${line.source}`)
  return Number(found[1])
}

function percent(text: string, who: 'some' | 'full', path: string): number {
  const found = new RegExp(`^${who} avg10=(\\d{1,3}(?:\\.\\d{1,6})?) `, 'm').exec(text)
  if (found === null) throw new Error(`${path}: want a line like "${who} avg10=0.00 avg60=..."`)
  return Number(found[1])
}

/** The ratio that stands for `percent`: the thresholds at the stalls that are as much, straight lines between them. */
function equivalent(percent: number, stalls: readonly number[], steps: readonly number[]): number {
  let [fromStall, fromRatio] = [0, 0]
  for (const [at, stall] of [...stalls, 100].entries()) {
    const ratio = steps[at] ?? 1
    if (percent < stall)
      return fromRatio + ((percent - fromStall) / (stall - fromStall)) * (ratio - fromRatio)
    ;[fromStall, fromRatio] = [stall, ratio]
  }
  return 1
}

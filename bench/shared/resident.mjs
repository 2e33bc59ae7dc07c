import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

/*
 * Resident memory of another process, watched from outside so that a busy event loop hides nothing. On Linux from
 * /proc, where the kernel also keeps the highest mark between two samples; elsewhere from ps.
 */

const linux = process.platform === 'linux'

/** Bytes of process `pid` that are in memory now. */
export function residentBytes(pid) {
  if (linux) return statusField(pid, 'VmRSS')
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024
}

function statusField(pid, name) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024
}

/** Lets the kernel's highest mark begin anew. Says whether it can. */
function forgetPeak(pid) {
  if (!linux) return false
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
    return true
  } catch {
    // Some containers keep clear_refs read-only; the samples remain.
    return false
  }
}

/**
 * Samples resident memory of `pid` until `stop()`, which tells the bytes at the start, the highest sample, the
 * number of samples, and the kernel's own highest mark (undefined where there is none).
 *
 * @param {number} pid
 * @param {number} everyMs
 */
export function watchResident(pid, everyMs) {
  const kernel = forgetPeak(pid)
  const start = residentBytes(pid)
  let peak = start
  let samples = 1
  const sample = () => {
    peak = Math.max(peak, residentBytes(pid))
    samples += 1
  }
  const timer = setInterval(sample, everyMs)
  return {
    stop: () => {
      clearInterval(timer)
      sample()
      return { start, peak, samples, kernelPeak: kernel ? statusField(pid, 'VmHWM') : undefined }
    },
  }
}

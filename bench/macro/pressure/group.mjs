import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/*
 * A control group of its own for a child process, with a limit of memory: below the group that this process is in, so that
 * whatever bounds that one bounds the child too.
 */

const LIMIT = { 1: 'memory.limit_in_bytes', 2: 'memory.max' }

/** Where groups can be made: the process's own, of version 2 and of version 1. */
function places() {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
      const version = hierarchy === '0' ? 2 : 1
      if (path === undefined || (version === 1 && !controllers.split(',').includes('memory'))) return []
      const type = version === 2 ? ' - cgroup2 ' : ' - cgroup '
      const mount = mounts.find(
        (text) => text.includes(type) && (version === 2 || /[ ,]memory(,|$)/.test(text.split(type)[1])),
      )
      return mount === undefined
        ? []
        : [{ version, directory: `${mount.split(' ')[4]}${path === '/' ? '' : path}` }]
    })
}

/** Makes a group of `bytes`; or says, as `why`, that it cannot. */
export function makeGroup(bytes) {
  if (process.platform !== 'linux') return { why: `there are no control groups on ${process.platform}` }
  const tried = []
  for (const { version, directory } of places()) {
    const group = `${directory}/drey-pressure-${process.pid}`
    try {
      mkdirSync(group)
      if (!existsSync(`${group}/${LIMIT[version]}`)) {
        rmdirSync(group)
        tried.push(`${directory} does not hand the memory controller down`)
        continue
      }
      writeFileSync(`${group}/${LIMIT[version]}`, String(bytes))
      return { group, version }
    } catch (error) {
      tried.push(error.message)
    }
  }
  return { why: tried.join('; ') || 'this process is in no group of memory' }
}

/** Runs node in the group. */
export function spawnIn(group, args) {
  const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
  return spawn('/bin/sh', ['-c', join, group, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** Removes the group once its processes are gone, which the kernel may notice a little later. */
export async function removeGroup(group) {
  for (let tries = 0; ; tries += 1) {
    try {
      rmdirSync(group)
      return
    } catch (error) {
      if (error.code !== 'EBUSY' || tries === 50) throw error
      await sleep(100)
    }
  }
}

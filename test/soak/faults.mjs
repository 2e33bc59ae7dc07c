import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemEnv } from '../../dist/store/file/env.js'

/* What disks do: calls that fail, come short or late; a system that refuses; bytes that change. */

const CODES = ['EIO', 'ENOSPC', 'EMFILE', 'EDQUOT']

/** The system, of whose calls by the js engine one in `odds` goes wrong while `isFaulty()`. */
export function faultyEnv(random, odds, isFaulty, told) {
  return new Proxy(systemEnv, {
    get(env, name) {
      const call = env[name].bind(env)
      // Neither has a result worth failing; and what is closed is closed, whatever the system says of it.
      if (['random', 'bootId', 'close'].includes(name)) return call
      return async (...given) => {
        if (isFaulty() && random(odds) === 0) {
          told()
          const kind = random(8)
          if (kind === 0) await new Promise((resolve) => setTimeout(resolve, random(200)))
          else if (kind === 1 && (name === 'read' || name === 'write')) given[3] = Math.min(1, given[3])
          else throw Object.assign(new Error('injected'), { code: CODES[random(CODES.length)] })
        }
        return call(...given)
      }
    },
  })
}

export const canLimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0

/**
 * Has the system refuse this process for so many seconds: files longer than a bound, or more files than there are. It is another process that ends it, and
 * that is started before it begins: this one might not be able to start any.
 */
export async function refused(seconds, { fileBytes, files }) {
  const limits = fileBytes === undefined ? ['nofile', files] : ['fsize', fileBytes]
  const script = `
    limit() { prlimit --pid ${process.pid} --${limits[0]}="$1:$hard"; }
    hard=$(prlimit --pid ${process.pid} --${limits[0]} --noheadings --raw --output HARD)
    limit ${limits[1]}; sleep ${seconds}; limit "$hard"`
  const child = spawn('sh', ['-ec', script], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error('prlimit failed')
}

export const openFiles = () => readdirSync('/proc/self/fd').length
export const openThreads = () => readdirSync('/proc/self/task').length

/** All files below a folder that can be opened. */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

/** Bytes that the files of a folder take on the disk. */
export function blocksIn(folder) {
  let bytes = 0
  for (const file of filesIn(folder)) bytes += statSync(file, { throwIfNoEntry: false })?.blocks * 512 || 0
  return bytes
}

/** Changes one byte of a file that holds values, somewhere behind its head; says whether there was one. */
export function flip(folder, random) {
  const values = filesIn(folder).filter((file) => !file.endsWith('DREY'))
  const file = values[random(values.length)]
  try {
    const fd = openSync(file, 'r+')
    try {
      const { size } = statSync(file)
      if (size <= 4096) return false
      const at = 4096 + random(size - 4096)
      const byte = Buffer.alloc(1)
      readSync(fd, byte, 0, 1, at)
      byte[0] ^= 1 << random(8)
      writeSync(fd, byte, 0, 1, at)
      return true
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    // It was reclaimed meanwhile.
    if (error.code === 'ENOENT' || file === undefined) return false
    throw error
  }
}

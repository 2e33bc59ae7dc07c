import { type Env, O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } from '../env.js'

/** What an open would have changed. */
export interface Changes {
  /** Paths. */
  readonly unlinked: Set<string>
  /** Lengths by path. */
  readonly truncated: Map<string, number>
}

/** The system, of which nothing is changed: files that would be removed or cut are noted. @param onRead told of bytes that were read */
export function readOnlyEnv(env: Env, changes: Changes, onRead: (bytes: number) => void): Env {
  const paths = new Map<number, string>()
  const refuse = (): never => {
    throw new Error('a directory that is only looked at is not written to')
  }
  return {
    ...env,
    open: async (path, flags) => {
      if ((flags & O_CREAT) !== 0) return refuse()
      const fd = await env.open(path, O_RDONLY | (flags & (O_NOFOLLOW | O_DIRECTORY)))
      paths.set(fd, path)
      return fd
    },
    close: (fd) => {
      paths.delete(fd)
      return env.close(fd)
    },
    read: async (fd, into, offset, length, position) => {
      const read = await env.read(fd, into, offset, length, position)
      onRead(read)
      return read
    },
    truncate: async (fd, length) => {
      changes.truncated.set(paths.get(fd)!, length)
    },
    unlink: async (path) => {
      changes.unlinked.add(path)
    },
    datasync: async () => undefined,
    sync: async () => undefined,
    write: refuse,
    makeFolder: refuse,
    link: refuse,
    rename: refuse,
    listen: refuse,
  }
}

/** The system, for who takes the lock: names that others left behind stay where they are. */
export function lockingEnv(env: Env): Env {
  const own = new Set<string>()
  return {
    ...env,
    rename: async (from, to) => {
      await env.rename(from, to)
      own.add(to)
    },
    unlink: async (path) => {
      if (own.has(path)) await env.unlink(path)
    },
  }
}

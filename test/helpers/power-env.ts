import { type Env, O_CREAT, systemEnv } from '../../lib/store/file/env.js'

interface Shadow {
  /** What the disk has for sure. */
  durable: Buffer
  /** Writes and cuts since, in order. */
  pending: Array<{ readonly at: number; readonly bytes: Buffer } | { readonly length: number }>
  /** Whether the name is on the disk for sure. */
  named: boolean
}

const PAGE = 4096

/**
 * The system with a power cord that can be pulled: it knows what was synced. `lost` says what a disk may have then: of what
 * was not synced, any pages, and any names. `onChange` is called when something was written and not synced.
 */
export function powerEnv(
  onChange: () => void = () => undefined,
  beneath: Env = systemEnv,
): {
  readonly env: Env
  readonly lost: (keep: () => boolean) => Map<string, Buffer>
} {
  const files = new Map<string, Shadow>()
  /** Names that were removed, and may be there again. */
  const removed = new Map<string, Shadow>()
  const open = new Map<number, string>()

  const settle = (path: string | undefined): void => {
    const shadow = path === undefined ? undefined : files.get(path)
    if (shadow === undefined) return
    shadow.durable = apply(shadow, () => true)
    shadow.pending = []
  }

  const env: Env = {
    ...beneath,
    open: async (path, flags, mode) => {
      const fd = await beneath.open(path, flags, mode)
      if ((flags & O_CREAT) !== 0) files.set(path, { durable: Buffer.alloc(0), pending: [], named: false })
      open.set(fd, path)
      return fd
    },
    close: async (fd) => {
      open.delete(fd)
      await beneath.close(fd)
    },
    write: async (fd, bytes, offset, length, position) => {
      const copy = Buffer.from(bytes.subarray(offset, offset + length))
      files.get(open.get(fd) ?? '')?.pending.push({ at: position, bytes: copy })
      onChange()
      return beneath.write(fd, bytes, offset, length, position)
    },
    truncate: async (fd, length) => {
      files.get(open.get(fd) ?? '')?.pending.push({ length })
      await beneath.truncate(fd, length)
    },
    datasync: async (fd) => {
      await beneath.datasync(fd)
      settle(open.get(fd))
    },
    sync: async (fd) => {
      await beneath.sync(fd)
      const path = open.get(fd)
      settle(path)
      if (path === undefined || files.has(path)) return
      // A folder: the names in it are there now, and those that were removed are not.
      for (const [name, shadow] of files) if (parentOf(name) === path) shadow.named = true
      for (const name of removed.keys()) if (parentOf(name) === path) removed.delete(name)
    },
    link: async (from, to) => {
      await beneath.link(from, to)
      const shadow = files.get(from)
      if (shadow !== undefined) files.set(to, { ...shadow, named: true })
    },
    unlink: async (path) => {
      await beneath.unlink(path)
      const shadow = files.get(path)
      files.delete(path)
      if (shadow !== undefined) removed.set(path, shadow)
    },
  }

  const lost = (keep: () => boolean): Map<string, Buffer> => {
    const left = new Map<string, Buffer>()
    for (const [path, shadow] of files) if (shadow.named || keep()) left.set(path, apply(shadow, keep))
    for (const [path, shadow] of removed) if (keep()) left.set(path, apply(shadow, keep))
    return left
  }
  return { env, lost }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

/** The file with those of its pending changes that `keep` says, page by page. */
function apply({ durable, pending }: Shadow, keep: () => boolean): Buffer {
  let bytes = Buffer.from(durable)
  const grow = (length: number): void => {
    if (length > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])
  }
  for (const change of pending) {
    if ('length' in change) {
      if (!keep()) continue
      grow(change.length)
      bytes = bytes.subarray(0, change.length)
      continue
    }
    for (let at = change.at; at < change.at + change.bytes.length; ) {
      const end = Math.min(change.at + change.bytes.length, at - (at % PAGE) + PAGE)
      if (keep()) {
        grow(end)
        change.bytes.copy(bytes, at, at - change.at, end - change.at)
      }
      at = end
    }
  }
  return bytes
}

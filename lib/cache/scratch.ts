import type { BufferPool } from '../buffers/pool.js'
import { ClosedError } from '../errors.js'

/**
 * Memory that the cache has for a moment, and that it alone holds: lent to a store or a socket, never given to anybody (I9). Where it may be
 * used, and where not, is decided in docs/reference/buffers.md, "What a cache pools".
 */
export interface Scratch {
  /** `size` bytes of whatever content. */
  get(size: number): Buffer
  /** Nobody looks at what `get` gave any more. Once. */
  put(buffer: Buffer): void
}

/** Without a pool: allocated, and left to the collector. */
export const PLAIN: Scratch = {
  get: (size) => Buffer.allocUnsafeSlow(size),
  put: () => undefined,
}

/** That of `pool`, as long as its owner has not closed it. */
export function scratchOf(pool: BufferPool | undefined): Scratch {
  if (pool === undefined) return PLAIN
  let closed = false
  /** What was allocated since then, which the pool would refuse and count. */
  const plain = new WeakSet<Buffer>()
  const allocate = (size: number): Buffer => {
    const buffer = Buffer.allocUnsafeSlow(size)
    plain.add(buffer)
    return buffer
  }
  return {
    get: (size) => {
      if (closed) return allocate(size)
      try {
        return pool.get(size)
      } catch (error) {
        if (!(error instanceof ClosedError)) throw error
        // A pool that others share may be closed before the cache is: that costs speed, not answers.
        closed = true
        return allocate(size)
      }
    },
    put: (buffer) => {
      if (!closed || !plain.has(buffer)) pool.put(buffer)
    },
  }
}

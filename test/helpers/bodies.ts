import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import type { Body } from '../../lib/index.js'

/** Bytes in which every position can be told from its neighbours: a value that is torn, shifted or mixed differs. Printable. */
export function patterned(size: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let i = 0; i < size; i += 1) bytes[i] = 33 + ((i * 7 + (i >> 8) * 13 + seed * 31) % 90)
  return bytes
}

/** The kinds of body that arrive in pieces. */
export const BODY_KINDS = ['node', 'web', 'iterable'] as const
export type BodyKind = (typeof BODY_KINDS)[number]

/** A body whose pieces a test sends by hand. */
export interface Pour {
  readonly body: Body
  /** The taking side gave it up. */
  readonly cancelled: boolean
  /** Pieces that were asked for, as far as the kind of body shows it. */
  push(bytes: Uint8Array): void
  end(): void
  /** Breaks off; for Node streams, without an error when none is given. */
  fail(error?: Error): void
}

export function pour(kind: BodyKind): Pour {
  if (kind === 'node') return pourNode()
  return kind === 'web' ? pourWeb() : pourIterable()
}

function pourNode(): Pour {
  const stream = new Readable({ read: () => undefined })
  let over = false
  return {
    body: stream,
    get cancelled() {
      return stream.destroyed && !over
    },
    push: (bytes) => void stream.push(bytes),
    end: () => {
      over = true
      stream.push(null)
    },
    fail: (error) => {
      over = true
      stream.destroy(error)
    },
  }
}

function pourWeb(): Pour {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given as ReadableStreamDefaultController<Uint8Array>
    },
    cancel: () => {
      cancelled = true
    },
  })
  return {
    body,
    get cancelled() {
      return cancelled
    },
    push: (bytes) => {
      if (!cancelled) controller.enqueue(bytes)
    },
    end: () => {
      if (!cancelled) controller.close()
    },
    fail: (error) => controller.error(error ?? new Error('broke off')),
  }
}

function pourIterable(): Pour {
  type Step = IteratorResult<Uint8Array> | Error
  const steps: Step[] = []
  let wanted: { resolve(step: IteratorResult<Uint8Array>): void; reject(error: Error): void } | undefined
  let cancelled = false
  const give = (step: Step): void => {
    if (wanted === undefined) return void steps.push(step)
    const { resolve, reject } = wanted
    wanted = undefined
    if (step instanceof Error) reject(step)
    else resolve(step)
  }
  return {
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
            wanted = { resolve, reject }
            const step = steps.shift()
            if (step !== undefined) give(step)
          }),
        return: async () => {
          cancelled = true
          return { done: true, value: undefined }
        },
      }),
    },
    get cancelled() {
      return cancelled
    },
    push: (bytes) => give({ done: false, value: bytes }),
    end: () => give({ done: true, value: undefined }),
    fail: (error) => give(error ?? new Error('broke off')),
  }
}

/** `bytes` as a body that arrives in pieces of `step`, one a turn at the earliest. */
export function pieces(bytes: Uint8Array, step: number): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
    },
  }
}

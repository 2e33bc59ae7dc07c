import { OutgoingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { mayBeLent, whenUnused } from '../buffers/lending.js'
import { AbortedError } from '../errors.js'
import type { Later } from '../store/store.js'
import type { Cursor } from './cursor.js'

/*
 * Writing a body out. Sockets and HTTP responses only copy to the kernel and never change what they are given,
 * so they are lent the store's own memory, or pooled memory, until the callback of the write. Every other Writable may keep or change its
 * chunks (a PassThrough keeps them after its callback), and gets memory of its own.
 */

/** A writing out under way. */
export interface Outflow {
  /** Settles as `writeOut` says. */
  readonly done: Promise<void>
  /** Ends it with `error`. */
  stop(error: Error): void
}

/**
 * Writes what `cursor` has left and ends `writable`. Resolves when all of it was taken: where memory was lent, when
 * it was given back; else when the writable has finished. On a failure of either side `writable` is destroyed
 * and the promise rejects; what is on loan then is returned when `writable` cannot use it any more. `onPiece` is called for each piece.
 */
export function writeOut(cursor: Cursor, writable: Writable, onPiece: () => void): Outflow {
  const lent = mayBeLent(writable)
  /** Pieces whose memory is still on loan, in the order in which they were written and are called back. */
  const onLoan: Uint8Array[] = []
  let waiting = false
  let ended = false
  let settled = false
  let resolve: () => void
  let reject: (error: Error) => void
  const done = new Promise<void>((onDone, onError) => {
    resolve = onDone
    reject = onError
  })

  const settle = (error?: Error): void => {
    if (settled) return
    settled = true
    writable.off('drain', run)
    writable.off('close', onClose)
    writable.off('finish', onFinish)
    if (error === undefined) {
      writable.off('error', settle)
      resolve()
      return
    }
    // The error listener stays: destroying emits `error`, and the caller learns of it by the rejection.
    writable.destroy(writable instanceof OutgoingMessage ? undefined : error)
    whenUnused(writable, () => {
      for (const memory of onLoan.splice(0)) cursor.returned(memory)
    })
    reject(error)
  }
  const onClose = (): void => {
    const cause = writable.errored ?? undefined
    settle(new AbortedError('the writable closed before the whole body was written', { cause }))
  }
  const onFinish = (): void => {
    if (!lent && ended) settle()
  }
  const givenBack = (error?: Error | null): void => {
    // A write that failed may be under way still: its memory comes back when the writable has closed.
    if (error !== undefined && error !== null) return
    const memory = onLoan.shift()
    if (memory === undefined) return
    cursor.returned(memory)
    if (ended && onLoan.length === 0) settle()
  }
  const finish = (): void => {
    ended = true
    writable.end()
    if (lent && onLoan.length === 0) settle()
  }
  /** Hands over one piece; says whether there is room for more. */
  const write = (piece: Uint8Array): boolean => {
    onPiece()
    if (!lent) return writable.write(piece)
    onLoan.push(piece)
    return writable.write(piece, givenBack)
  }
  const resume = (piece: Uint8Array): void => {
    waiting = false
    if (settled) {
      if (lent && piece.length > 0) cursor.returned(piece)
    } else if (piece.length === 0) finish()
    else if (write(piece)) run()
  }

  function run(): void {
    try {
      while (!waiting && !settled && !ended) {
        const piece: Later<Uint8Array> = lent ? cursor.lend() : cursor.next()
        if (piece instanceof Promise) {
          waiting = true
          piece.then(resume).catch(settle)
        } else if (piece.length === 0) finish()
        else if (!write(piece)) return
      }
    } catch (error) {
      settle(error as Error)
    }
  }

  writable.on('drain', run)
  writable.on('close', onClose)
  writable.on('finish', onFinish)
  writable.on('error', settle)
  if (writable.destroyed || writable.writableEnded) onClose()
  else run()
  return { done, stop: settle }
}

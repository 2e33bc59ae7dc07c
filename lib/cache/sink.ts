import { OutgoingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { AbortedError } from '../errors.js'
import type { Cursor } from './cursor.js'

/*
 * Writing a body out. Sockets and HTTP responses only copy to the kernel and never change what they are given,
 * so they are lent the store's own memory until the callback of the write. Every other Writable may keep or change its
 * chunks (a PassThrough keeps them after its callback), and gets memory of its own.
 */

/** Whether `writable` may be given memory that is not its own to keep. */
export function mayBeLent(writable: Writable): boolean {
  return writable instanceof OutgoingMessage || writable instanceof Socket
}

/**
 * Writes what `cursor` has left and ends `writable`. Resolves when all of it was taken and, where memory was
 * lent, given back. On a failure of either side `writable` is destroyed and the promise rejects. `onPiece` is
 * called for each piece.
 */
export function writeOut(cursor: Cursor, writable: Writable, onPiece: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const lent = mayBeLent(writable)
    /** Writes whose memory is still on loan. */
    let onLoan = 0
    let waiting = false
    let ended = false
    let settled = false

    const settle = (error?: Error): void => {
      if (settled) return
      settled = true
      writable.off('drain', run)
      writable.off('close', onClose)
      if (error === undefined) {
        writable.off('error', settle)
        resolve()
        return
      }
      // The error listener stays: destroying emits `error`, and the caller learns of it by the rejection.
      writable.destroy(writable instanceof OutgoingMessage ? undefined : error)
      reject(error)
    }
    const onClose = (): void => {
      if (!ended || onLoan > 0)
        settle(new AbortedError('the writable closed before the whole body was written'))
    }
    const givenBack = (): void => {
      onLoan -= 1
      cursor.returned()
      if (ended && onLoan === 0) settle()
    }
    const finish = (): void => {
      ended = true
      writable.end()
      if (onLoan === 0) settle()
    }
    /** Hands over one piece; says whether there is room for more. */
    const write = (piece: Uint8Array): boolean => {
      onPiece()
      if (!lent) return writable.write(piece)
      onLoan += 1
      return writable.write(piece, givenBack)
    }
    const resume = (piece: Uint8Array): void => {
      waiting = false
      if (settled) return
      if (piece.length === 0) finish()
      else if (write(piece)) run()
    }
    const onFailure = (error: Error): void => settle(error)

    function run(): void {
      while (!waiting && !settled && !ended) {
        let piece: ReturnType<Cursor['lend']>
        try {
          piece = lent ? cursor.lend() : cursor.next()
        } catch (error) {
          return settle(error as Error)
        }
        if (piece instanceof Promise) {
          waiting = true
          piece.then(resume).catch(onFailure)
          return
        }
        if (piece.length === 0) return finish()
        if (!write(piece)) return
      }
    }

    writable.on('drain', run)
    writable.on('close', onClose)
    writable.on('error', settle)
    if (writable.destroyed) onClose()
    else run()
  })
}

import { WriteStream, write, writev } from 'node:fs'
import { OutgoingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'

/*
 * Who may be lent memory. Sockets and HTTP responses only copy to the kernel, or encrypt at once, files only write, and none of them
 * changes what it is given. Every other Writable may keep or change its chunks (a PassThrough keeps them after its callback).
 */

/** When a sink is done with what it was given: not known, at the callback of the write, or when `write` returns. */
export type Lending = 'own' | 'lent' | 'at-once'

/**
 * Whether `writable` may be given memory that is not its own to keep. Not when its methods are not the original
 * ones: what a middleware puts in their place (compression, say) may keep chunks and forget callbacks.
 */
export function mayBeLent(writable: Writable): boolean {
  if (writable instanceof OutgoingMessage) {
    const { write, end } = OutgoingMessage.prototype
    return writable.write === write && writable.end === end && isPlainSocket(connectionOf(writable))
  }
  return isPlainSocket(writable)
}

/** What a message goes out by. A response that waits for its turn has none yet: it will be that of its request. */
function connectionOf(message: OutgoingMessage): unknown {
  return message.socket ?? (message instanceof ServerResponse ? message.req.socket : undefined)
}

/**
 * HTTP runs over any Duplex, and a Socket may be derived from: such may keep what it is given beyond the callback. And the process's own output is not
 * destroyed by `destroy`: what was written to it before is written still.
 */
function isPlainSocket(connection: unknown): boolean {
  if (!(connection instanceof Socket)) return false
  const { _write, _writev, _destroy } = Socket.prototype
  return (
    connection.write === Writable.prototype.write &&
    connection._write === _write &&
    connection._writev === _writev &&
    connection._destroy === _destroy
  )
}

const atOnce = new WeakMap<Writable, () => boolean>()

/** From now on `writable`, one of drey's own, is known to have taken what it was given when its `write` returns, while `holds` says so. */
export function takesAtOnce(writable: Writable, holds: () => boolean): void {
  atOnce.set(writable, holds)
}

/** What is known of `writable`. */
export function lendingOf(writable: Writable): Lending {
  if (mayBeLent(writable) || isFileStream(writable)) return 'lent'
  return atOnce.get(writable)?.() === true ? 'at-once' : 'own'
}

/** Writes what it is given to a file by Node's own calls and forgets it. */
function isFileStream(writable: Writable): boolean {
  if (!(writable instanceof WriteStream)) return false
  const methods = WriteStream.prototype
  if (writable.write !== methods.write || writable._write !== methods._write) return false
  if (writable._writev !== methods._writev) return false
  // A file system that was given as an option may keep what it is to write. Where Node does not show it, nothing is known.
  const calls = Object.getOwnPropertySymbols(writable).find(({ description }) => description === 'kFs')
  if (calls === undefined) return false
  const used = (
    writable as unknown as Record<symbol, { readonly write?: unknown; readonly writev?: unknown }>
  )[calls]
  return used?.write === write && used.writev === writev
}

/** Calls `fn` once nothing can be sent from memory that was written to `writable`, which was destroyed. */
export function whenUnused(writable: Writable, fn: () => void): void {
  const carrier = writable instanceof OutgoingMessage ? writable.socket : writable
  // A response that waits for its turn on a connection has no socket yet, and will never send anything now.
  if (carrier === null || carrier.closed) fn()
  else carrier.once('close', fn)
}

import { open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Clock } from '../clock.js'
import { peerAddress } from './forward.js'

/*
 * One line per request, in the combined format with what the cache did and how long it took:
 *
 *   127.0.0.1 - - [21/Nov/2026:09:04:00 +0000] "GET /a HTTP/1.1" 200 1234 "-" "curl/8.5" hit 0.41ms
 *
 * The number after the status counts the bytes of the response on the wire, head included.
 */

export interface AccessLog {
  /** Follows a request to its end. */
  begin(req: IncomingMessage, res: ServerResponse): void
  /** What the cache did, for the line of this response. */
  note(res: ServerResponse, what: string): void
  close(): Promise<void>
}

/** What is wrong with the file; the proxy goes on without it. */
export type OnLogError = (error: Error) => void

/**
 * `target`: a stream, or the path of a file that is appended to. A stream stays open at the end. Rejects with Node's
 * error when the file cannot be opened.
 */
export async function createAccessLog(
  target: Writable | string,
  clock: Clock,
  onError: OnLogError,
): Promise<AccessLog> {
  const own = typeof target === 'string'
  const out: Writable = own ? (await open(target, 'a')).createWriteStream() : target
  const notes = new WeakMap<ServerResponse, string>()
  const written = new WeakMap<Socket, number>()
  let failed = false
  const onFailure = (error: Error): void => {
    if (!failed) onError(error)
    failed = true
  }
  out.on('error', onFailure)
  return {
    begin(req, res) {
      const { socket } = req
      const peer = peerAddress(socket.remoteAddress) ?? '-'
      const at = clock.now()
      const from = performance.now()
      let bytes: number | undefined
      // Responses of one connection end in order, so that what was written since the last is this one's.
      const count = (): void => {
        bytes ??= socket.bytesWritten - (written.get(socket) ?? 0)
        written.set(socket, socket.bytesWritten)
      }
      // First of all listeners: node's own lets the next response write.
      res.prependListener('finish', count)
      res.on('close', () => {
        if (bytes === undefined) count()
        if (failed) return
        const status = res.headersSent ? String(res.statusCode) : '-'
        const what = res.writableFinished ? (notes.get(res) ?? '-') : `${notes.get(res) ?? '-'},broken`
        out.write(
          `${peer} - - [${stamp(at)}] "${quoted(req.method ?? '-')} ${quoted(req.url ?? '-')} HTTP/${req.httpVersion}" ` +
            `${status} ${bytes} "${quoted(req.headers.referer ?? '-')}" "${quoted(req.headers['user-agent'] ?? '-')}" ` +
            `${what} ${(performance.now() - from).toFixed(2)}ms\n`,
        )
      })
    },
    note(res, what) {
      notes.set(res, what)
    },
    close() {
      if (!own) {
        out.off('error', onFailure)
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        out.end(() => resolve())
        if (failed) resolve()
      })
    },
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The time of a line, in UTC: 21/Nov/2026:09:04:00 +0000. */
function stamp(epoch: number): string {
  const date = new Date(epoch)
  const two = (n: number): string => String(n).padStart(2, '0')
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  return `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${time} +0000`
}

/** Text of a stranger between quotes: nothing in it can end the quotes or the line. */
function quoted(text: string): string {
  return text.replace(/["\\]|[^\x20-\x7e]/g, (char) =>
    char === '"' || char === '\\' ? `\\${char}` : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

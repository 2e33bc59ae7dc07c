import { type ServerResponse, STATUS_CODES } from 'node:http'

/*
 * Answers of the proxy's own: a status and a line of text.
 */

/** Ends the response with `status`; a response that has begun can only be broken off. */
export function refuse(
  res: ServerResponse,
  status: number,
  why: string,
  extra: readonly string[] = [],
): void {
  if (res.headersSent) {
    res.destroy()
    return
  }
  const body = Buffer.from(`${status} ${STATUS_CODES[status] ?? ''}: ${why}\n`)
  res.writeHead(status, [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(body.length),
    ...extra,
  ])
  res.end(body)
}

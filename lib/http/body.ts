import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

/*
 * Bodies on their way to a client, where a break must not look like an end (I1).
 */

/**
 * Sends the head now, because the body may take its time to arrive. Not by `flushHeaders`, which writes the head in
 * UTF-8, and field values are latin1; and what follows in the same turn still goes with it in one write.
 */
export function sendHead(res: ServerResponse): void {
  res.write('', 'latin1')
}

/** Breaks the connection so that the peer sees an error: a plain close is how some bodies end. */
export function breakOff(res: ServerResponse): void {
  if (res.socket?.destroyed === false) res.socket.resetAndDestroy()
  else res.destroy()
}

/** Writes a body whose end is the end of the connection; a break resets the connection instead. */
export async function writeUntilClose(body: AsyncIterable<Uint8Array>, res: ServerResponse): Promise<void> {
  try {
    for await (const piece of body) {
      if (res.destroyed) return
      if (!res.write(piece)) await Promise.race([once(res, 'drain'), once(res, 'close')])
    }
    res.end()
  } catch (error) {
    breakOff(res)
    throw error
  }
}

/**
 * Pipes a body from the origin to the client; when either breaks, the other learns of it. `untilClose`: only a reset
 * tells the client of a break; where there is a length, or chunks, a plain close keeps what is on its way.
 * Resolves when both are done.
 */
export function pipeBody(body: Readable, res: ServerResponse, untilClose: boolean): Promise<void> {
  const onBreak = (): void => {
    if (untilClose) breakOff(res)
    else res.destroy()
  }
  return new Promise((resolve) => {
    body.on('error', onBreak)
    body.on('close', () => {
      if (!body.readableEnded) onBreak()
      resolve()
    })
    res.on('close', () => {
      if (!res.writableFinished) body.destroy()
    })
    if (res.destroyed) body.destroy()
    else body.pipe(res)
  })
}

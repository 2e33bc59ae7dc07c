import type { IncomingMessage } from 'node:http'

/** Whether there is more of its body to come. Of a request without one, too, Node says only in a later turn that it is complete. */
export function isArriving({ complete, headers }: IncomingMessage): boolean {
  return (
    !complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
  )
}

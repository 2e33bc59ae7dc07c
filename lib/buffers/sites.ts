import { fileURLToPath } from 'node:url'

/** Lines of a call stack that are kept. */
const MOST_LINES = 4

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** Where in the caller's code the pool was called from: the innermost lines of the stack that are not the pool's. */
export function callSite(): string {
  const trace: { stack?: string } = {}
  Error.captureStackTrace(trace, callSite)
  const lines = (trace.stack ?? '').split('\n').slice(1)
  const first = lines.findIndex((line) => !line.includes(HERE))
  const outside = first === -1 ? [] : lines.slice(first, first + MOST_LINES)
  return outside.map((line) => line.trim()).join('\n') || 'unknown place'
}

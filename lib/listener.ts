import { inspect } from 'node:util'

/** Calls a listener of `event`. If it fails, now or later, that is reported as a warning of the process and harms nobody. */
export function callListener<T>(listener: (what: T) => unknown, what: T, event: string): void {
  const warn = (error: unknown): void => {
    process.emitWarning(`a listener of '${event}' failed: ${inspect(error)}`, { code: 'DREY_LISTENER' })
  }
  try {
    const told = listener(what)
    if (told instanceof Promise) told.catch(warn)
  } catch (error) {
    warn(error)
  }
}

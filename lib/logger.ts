/*
 * What drey tells a program's own log. Shaped as pino is: details first, then the sentence.
 */

/** A log. pino is one; so is any object with these two methods. */
export interface Logger {
  /** Something that happens in the ordinary course. */
  info(details: object, message: string): void
  /** Something that somebody should look at. */
  warn(details: object, message: string): void
}

export function isLogger(value: unknown): value is Logger {
  if (typeof value !== 'object' || value === null) return false
  const { info, warn } = value as Partial<Record<keyof Logger, unknown>>
  return typeof info === 'function' && typeof warn === 'function'
}

/** Logs to the console, the sentence first, as people read it there. */
export const consoleLogger: Logger = {
  info: (details, message) => console.info(message, details),
  warn: (details, message) => console.warn(message, details),
}

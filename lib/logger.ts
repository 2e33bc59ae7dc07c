/*
 * What drey tells a program's own log. Shaped as pino is: details first, then the sentence.
 */

/**
 * A log. pino is one; so is any object with these two methods. What one throws, or rejects with, is a warning of the process: it costs nothing else.
 *
 * What a logger MUST do, and `loggerSuite` of `drey/testing` checks:
 *
 *  L1  It has both methods, which are called as methods of it.
 *  L2  They take any details and any sentence, and throw nothing.
 *  L3  They answer at once, give nothing, and change nothing of the details.
 *  L4  What they are told is written: the sentence, and the details by name.
 */
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

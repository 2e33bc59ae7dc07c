import { format } from 'node:util'
import { afterEach, describe, test, vi } from 'vitest'
import { consoleLogger } from '../../lib/logger.js'
import { loggerSuite, runSuite } from '../../lib/testing/index.js'

afterEach(() => vi.restoreAllMocks())

describe('the console as a logger', () => {
  const make = () => {
    const lines: string[] = []
    const note = (...values: unknown[]): void => void lines.push(format(...values))
    vi.spyOn(console, 'info').mockImplementation(note)
    vi.spyOn(console, 'warn').mockImplementation(note)
    return { logger: consoleLogger, written: () => lines.join('\n') }
  }
  runSuite(loggerSuite(make), test)
})

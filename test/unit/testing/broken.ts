import { AssertionError } from 'node:assert'
import { expect } from 'vitest'
import type { Suite } from '../../../lib/testing/index.js'

/** The rules of which a case fails, in their order; each failure names its case, and says something. */
export async function brokenRules(suite: Suite): Promise<string[]> {
  const broken = new Set<string>()
  for (const { rule, name, run } of suite) {
    try {
      await run()
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
      const { message } = error as Error
      expect(message.startsWith(`${name}: `), message).toBe(true)
      if (error instanceof AssertionError) expect(message).toMatch(/: expected .*, found /s)
      broken.add(rule)
    }
  }
  return [...broken]
}

import { AssertionError } from 'node:assert'
import { messageOf } from '../errors.js'

/*
 * What the suites of the contracts are made of. They need no test runner: a suite is a list, and whoever has a function that
 * registers a test, or a loop, can run it.
 */

/** One thing that an implementation must do. */
export interface Case {
  /** The rule of the contract that it checks: `'S1'`, or the name of the method that promises it. */
  readonly rule: string
  /** What is checked, in words; begins with the rule, and is no other case's of its suite. */
  readonly name: string
  /** Resolves when the implementation keeps the rule; rejects with an error that says which rule, what was expected and what was found. */
  run(): Promise<void>
}

/** All that an implementation of a contract must do. Cases share nothing, and may be run in any order. */
export type Suite = readonly Case[]

/**
 * Registers each case of `suite` as a test.
 *
 * @param test of vitest, jest, mocha or node:test, or any function of a name and what to run
 */
export function runSuite(suite: Suite, test: (name: string, run: () => Promise<void>) => unknown): void {
  for (const { name, run } of suite) test(name, run)
}

/** A case; what goes wrong in it names the rule and the case. */
export function caseOf(rule: string, what: string, check: () => Promise<void> | void): Case {
  const name = `${rule}: ${what}`
  return {
    rule,
    name,
    run: async () => {
      try {
        await check()
      } catch (error) {
        throw named(name, error)
      }
    },
  }
}

function named(name: string, error: unknown): Error {
  const message = `${name}: ${messageOf(error)}`
  if (!(error instanceof AssertionError)) return new Error(message, { cause: error })
  // Runners show the two side by side.
  const { actual, expected, operator } = error
  return new AssertionError({ message, actual, expected, operator })
}

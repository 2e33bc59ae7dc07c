import { isLogger, type Logger } from '../logger.js'
import { holds, same } from './check.js'
import { type Case, caseOf, type Suite } from './suite.js'

/** A logger under test. */
export interface LoggerRig {
  readonly logger: Logger
  /** What it has written so far, in whatever form: each sentence that it was told must be in there. Left out, that is not checked. */
  readonly written?: (() => string | Promise<string>) | undefined
}

const LEVELS = ['info', 'warn'] as const

/**
 * What every logger must do: L1 to L4 of the `Logger` contract.
 *
 * @param make called once for each case
 */
export function loggerSuite(make: () => LoggerRig | Promise<LoggerRig>): Suite {
  const check = (rule: string, what: string, run: (rig: LoggerRig) => Promise<void> | void): Case =>
    caseOf(rule, what, async () => run(await make()))
  return [
    check('L1', 'it has info and warn', ({ logger }) => {
      holds(isLogger(logger), 'the logger', 'an object with the methods info and warn', logger)
    }),
    ...LEVELS.map((level) =>
      check('L2', `${level} takes whatever details there are, and throws nothing`, ({ logger }) => {
        for (const details of hostileDetails()) logger[level](details, 'a sentence')
        logger[level]({}, '')
        logger[level]({}, '%s %d %j {} \u001b[0m')
      }),
    ),
    ...LEVELS.map((level) =>
      check('L3', `${level} answers at once, and its details stay as they were`, ({ logger }) => {
        const details = { dir: '/var/cache', bytes: 12, inner: { list: [1, 2] } }
        const answer: unknown = logger[level](details, 'a sentence')
        const isPromise = typeof answer === 'object' && answer !== null && 'then' in answer
        holds(!isPromise, `what ${level} gives`, 'no promise', answer)
        same(details, { dir: '/var/cache', bytes: 12, inner: { list: [1, 2] } }, 'the details')
        logger[level](Object.freeze({ frozen: true }), 'a sentence')
      }),
    ),
    ...LEVELS.map((level) =>
      check('L4', `what ${level} is told is written, sentence and details`, async ({ logger, written }) => {
        logger[level]({ directory: 'marten' }, 'the nest was opened')
        if (written === undefined) return
        const text = await written()
        for (const part of ['the nest was opened', 'directory', 'marten']) {
          holds(text.includes(part), `what was written of ${JSON.stringify(part)}`, 'that it is there', text)
        }
      }),
    ),
  ]
}

/** Details as they may come: what has no JSON, and what goes round in circles. */
function hostileDetails(): object[] {
  const circle: Record<string, unknown> = { name: 'circle' }
  circle['self'] = circle
  return [
    circle,
    { error: new Error('with a cause', { cause: new Error('beneath') }) },
    new Error('bare'),
    { big: 2n ** 70n, not: Number.NaN, nothing: undefined, run: () => undefined, symbol: Symbol('s') },
    { bytes: new Uint8Array(10_000), map: new Map([['a', 1]]), date: new Date(Number.NaN) },
    Object.create(null),
    [],
  ]
}

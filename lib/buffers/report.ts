import { showSize } from '../config/units.js'
import { messageOf } from '../errors.js'
import { consoleLogger, type Logger } from '../logger.js'
import type { PoolConfig } from './options.js'

/** A Buffer that its holder lost before it was given back. */
export interface LostBuffer {
  /** Of its class. */
  readonly bytes: number
  /** Where in the code it was got. */
  readonly got: string
}

/** What a pool has to say of mistakes of those who use it. */
export type Mistake =
  | ({ readonly kind: 'leak' } & LostBuffer)
  | {
      readonly kind: 'again'
      readonly bytes: number
      readonly got: string
      readonly returned: string
      readonly site: string
    }
  | { readonly kind: 'refused'; readonly bytes: number; readonly why: string; readonly site: string }
  | { readonly kind: 'poisoned'; readonly bytes: number; readonly got: string; readonly returned: string }

const SENTENCES: Readonly<Record<Mistake['kind'], (bytes: string) => string>> = {
  leak: (bytes) =>
    `a Buffer of ${bytes} was lost before it was given back: give it back, or lease it with \`using\``,
  again: (bytes) => `a Buffer of ${bytes} was given back twice: it may be somebody else's by now`,
  refused: (bytes) =>
    `a Buffer of ${bytes} was given back that the pool did not lend: give back the very Buffer that get gave`,
  poisoned: (bytes) => `a Buffer of ${bytes} was written to after it was given back`,
}

/** Tells of mistakes: the logger if there is one, else by a warning of the process. Never throws. */
export class Reporter {
  readonly #logger: Logger | undefined
  readonly #onLeak: ((lost: LostBuffer) => void) | undefined

  constructor({ logger, logging }: PoolConfig, onLeak?: (lost: LostBuffer) => void) {
    this.#logger = logger ?? (logging ? consoleLogger : undefined)
    this.#onLeak = onLeak
  }

  mistake(mistake: Mistake): void {
    const { kind, ...details } = mistake
    const sentence = `buffer pool: ${SENTENCES[kind](showSize(mistake.bytes))}`
    if (mistake.kind === 'leak') this.#onLeak?.({ bytes: mistake.bytes, got: mistake.got })
    if (this.#logger !== undefined) this.#log('warn', mistake, sentence)
    else {
      const detail = Object.entries(details).map(([name, value]) => `${name}: ${value}`)
      process.emitWarning(sentence, {
        type: 'DreyWarning',
        code: `DREY_BUFFER_${kind.toUpperCase()}`,
        detail: detail.join('\n'),
      })
    }
  }

  summary(details: object): void {
    this.#log('info', details, 'buffer pool')
  }

  #log(level: 'info' | 'warn', details: object, sentence: string): void {
    try {
      const told: unknown = this.#logger?.[level](details, sentence)
      // It should give nothing; a method that is async does all the same.
      if (told instanceof Promise) told.catch(warnOfLogger)
    } catch (error) {
      warnOfLogger(error)
    }
  }
}

function warnOfLogger(error: unknown): void {
  process.emitWarning(`the logger of a buffer pool failed: ${messageOf(error)}`, { type: 'DreyWarning' })
}

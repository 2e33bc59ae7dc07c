import { type durationOption, limitOption, sizeOption } from '../config/schema.js'
import { type Duration, parseDuration, parseSize, type Size } from '../config/units.js'
import { showValue } from '../config/validate.js'
import { ConfigError } from '../errors.js'

/** How far a copy is. */
export interface CopyProgress {
  /** Bytes that were handed to the sink. */
  readonly bytes: number
  /** Bytes that there will be, where that is declared or known. */
  readonly size?: number
}

/** What copies and tees have in common. */
export interface MoveOptions {
  /** Bytes that the source must have, exactly. */
  readonly size?: Size | undefined
  /** Ends it: with `ERR_DREY_ABORTED`, and `signal.reason` as the cause. */
  readonly signal?: AbortSignal | undefined
  /** How long it may take in all. Default: as long as it takes. */
  readonly timeout?: Duration | undefined
  /** Called when bytes were handed to the sink. What it throws is a warning of the process. */
  readonly onProgress?: ((progress: CopyProgress) => unknown) | undefined
}

/** Options of `pool.copy`. */
export interface CopyOptions extends MoveOptions {
  /** Gives the CRC32C of all bytes. Default false. */
  readonly checksum?: boolean | undefined
}

/** Options of `pool.tee`. */
export interface TeeOptions extends MoveOptions {
  /** `'wait'`: the reader waits for the sink. `'drop'`: a sink that is more than `sinkBuffer` behind is destroyed. Default `'wait'`. */
  readonly onSinkSlow?: 'wait' | 'drop' | undefined
  /** With `'drop'`: how far the sink may be behind, as the bytes of memory that wait for it: where pieces are gathered, whole chunks. Default 1 MiB. */
  readonly sinkBuffer?: Size | undefined
  /** A sink that fails fails the reader. Default false. */
  readonly failTogether?: boolean | undefined
  /** When the reader leaves, the sink still gets the rest. Default false. */
  readonly finishSink?: boolean | undefined
}

/** The same, checked. */
export interface Move {
  readonly size: number | undefined
  readonly signal: AbortSignal | undefined
  readonly timeout: number | undefined
  readonly onProgress: ((progress: CopyProgress) => unknown) | undefined
}

const MOVE_NAMES = ['size', 'signal', 'timeout', 'onProgress']
const COPY_NAMES = [...MOVE_NAMES, 'checksum']
const TEE_NAMES = [...MOVE_NAMES, 'onSinkSlow', 'sinkBuffer', 'failTogether', 'finishSink']
const MiB = 2 ** 20

/*
 * Checked by hand, because every copy pays for it.
 */

/** @throws `ERR_DREY_CONFIG` */
export function readCopyOptions(options: CopyOptions): Move & { readonly checksum: boolean } {
  return { ...readMove(options, 'copy', COPY_NAMES), checksum: flag(options.checksum, 'copy.checksum') }
}

/** @throws `ERR_DREY_CONFIG` */
export function readTeeOptions(options: TeeOptions): Move & {
  readonly drops: boolean
  readonly sinkBuffer: number
  readonly failTogether: boolean
  readonly finishSink: boolean
} {
  const move = readMove(options, 'tee', TEE_NAMES)
  const { onSinkSlow = 'wait', sinkBuffer = MiB } = options
  if (onSinkSlow !== 'wait' && onSinkSlow !== 'drop') {
    throw new ConfigError(`tee.onSinkSlow: got ${showValue(onSinkSlow)}; want one of "wait", "drop"`)
  }
  return {
    ...move,
    drops: onSinkSlow === 'drop',
    sinkBuffer: checked(sizeOption, sinkBuffer, parseSize, 'tee.sinkBuffer'),
    failTogether: flag(options.failTogether, 'tee.failTogether'),
    finishSink: flag(options.finishSink, 'tee.finishSink'),
  }
}

function readMove(options: MoveOptions, at: string, names: readonly string[]): Move {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError(`${at}: got ${showValue(options)}; want an object of options`)
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new ConfigError(`${at}.${unknown}: no such option; there are ${names.join(', ')}`)
  }
  const { size, signal, timeout, onProgress } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ConfigError(`${at}.signal: got ${showValue(signal)}; want an AbortSignal`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new ConfigError(`${at}.onProgress: got ${showValue(onProgress)}; want a function`)
  }
  const limit =
    timeout === undefined ? undefined : checked(limitOption, timeout, parseDuration, `${at}.timeout`)
  return {
    size: size === undefined ? undefined : checked(sizeOption, size, parseSize, `${at}.size`),
    signal,
    timeout: limit === Number.POSITIVE_INFINITY ? undefined : limit,
    onProgress,
  }
}

function flag(value: boolean | undefined, at: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw new ConfigError(`${at}: got ${showValue(value)}; want true or false`)
}

function checked<T>(
  schema: typeof sizeOption | typeof durationOption,
  value: T,
  parse: (value: T) => number | undefined,
  at: string,
): number {
  const result = schema.safeParse(value)
  if (result.success) return parse(value)!
  throw new ConfigError(`${at}: got ${showValue(value)}; ${result.error.issues[0]!.message}`)
}

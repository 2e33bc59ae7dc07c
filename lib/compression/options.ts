import { availableParallelism } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { checked, option, orOptions, required, wholeOption } from '../config/option.js'
import { showValue, validate } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { CODEC_NAMES, type CodecName, codecOf, LEVELS } from './codecs.js'
import type { Compressor } from './compressor.js'
import { COMPRESSED_TYPES, isTypePattern, type Skips, skipsOf } from './content.js'

/*
 * The option `compression`, of whatever has one: checked here, once.
 */

/** The threads of libuv, which do the work; more at once would only wait there, before the files of the application. */
const MOST_AT_ONCE = 4

const NAMES = CODEC_NAMES.map((name) => showValue(name)).join(', ')
const WANT = `want one of ${NAMES}, options such as { codec: "zstd", level: 3 }, or a Compressor`

const NAME_FORM = /^[a-z0-9._-]{1,32}$/

export const compressionOptions = z.strictObject({
  /** Who makes chunks smaller: a name, or a `Compressor` of your own. */
  codec: required(
    'Who makes chunks smaller: a name, or a `Compressor` of your own.',
    checked<CodecName | Compressor>(
      (value) =>
        isCodecName(value) || isCompressor(value)
          ? undefined
          : `want one of ${NAMES}, or a Compressor: an object with name, compress and decompress`,
      { enum: CODEC_NAMES },
    ),
    { live: true },
  ),
  /** How much time to spend for how few bytes: `gzip` 1 to 9, default 6; `zstd` 1 to 19, default 3. Others have none. Default: `gzip` 6, `zstd` 3. */
  level: option(
    'How much time to spend for how few bytes: `gzip` 1 to 9, default 6; `zstd` 1 to 19, default 3. Others have none.',
    checked<number>((value) => (typeof value === 'number' ? undefined : 'want a whole number'), {
      type: 'integer',
    }),
    { otherwise: '`gzip` 6, `zstd` 3', live: true },
  ),
  /** Smaller chunks are kept as they are, in bytes. Default 256 B. */
  minSize: option('Smaller chunks are kept as they are, in bytes.', wholeOption(1, 1024 * 1024), {
    default: 256,
    unit: 'bytes',
    live: true,
  }),
  /** A chunk is kept compressed when it gets so many times smaller, else as it is: from 1 to 100. Default `1.1`. */
  minRatio: option(
    'A chunk is kept compressed when it gets so many times smaller, else as it is: from 1 to 100.',
    checked<number>(
      (value) =>
        typeof value === 'number' && value >= 1 && value <= 100
          ? undefined
          : 'want a number from 1 to 100: how many times smaller a chunk has to get',
      { type: 'number', minimum: 1, maximum: 100 },
    ),
    { default: 1.1, live: true },
  ),
  /**
   * Media types that are not tried; a star at the beginning or the end stands for any text. Instead of the default list. Default: the list of
   * docs/reference/compression.md.
   */
  skipTypes: option(
    'Media types that are not tried; a star at the beginning or the end stands for any text. Instead of the default list.',
    z
      .array(
        checked<string>(
          (value) =>
            isTypePattern(value) ? undefined : "want media types, such as 'image/png', 'video/*' or '*+zip'",
          { type: 'string' },
        ),
      )
      .max(256),
    { otherwise: 'the list of docs/reference/compression.md', live: true },
  ),
  /** How many chunks are worked on at once. Default: as many as there are processors, at most 4. */
  concurrency: option('How many chunks are worked on at once.', wholeOption(1, 64), {
    otherwise: 'as many as there are processors, at most 4',
    live: true,
  }),
})

/** The form of the option `compression` that says more than a name. */
export type CompressionOptions = z.input<typeof compressionOptions>

/** The option `compression`: the name of a codec, more than that, or a compressor of your own. */
export type CompressionOption = CodecName | CompressionOptions | Compressor

/** For the schemas of options that hold one; what contradicts in it says `readCompression`. */
export const compressionOption = orOptions<CompressionOption>(
  compressionOptions,
  (value) => isCodecName(value) || isCompressor(value),
  WANT,
  { enum: CODEC_NAMES },
)

/** What compression runs on: checked, with defaults. */
export interface CompressionConfig {
  /** None: nothing is made smaller, and what was is read. */
  readonly compressor: Compressor | undefined
  readonly minSize: number
  readonly minRatio: number
  readonly skips: Skips
  readonly concurrency: number
  /** What it was made of, as a message or an event says it: a name, or the options; of a compressor of your own its name. */
  readonly shown: string | CompressionOptions
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, or a codec that this process does not have; the message says what would do. */
export function readCompression(value: unknown, at = 'compression'): CompressionConfig {
  const given = formOf(value, at)
  return {
    compressor: compressorOf(given, at),
    minSize: given.minSize,
    minRatio: given.minRatio,
    skips: skipsOf(given.skipTypes ?? COMPRESSED_TYPES),
    concurrency: given.concurrency ?? Math.min(MOST_AT_ONCE, availableParallelism()),
    shown: shownOf(given),
  }
}

function shownOf(given: z.output<typeof compressionOptions>): string | CompressionOptions {
  const codec = typeof given.codec === 'string' ? given.codec : given.codec.name
  const plain = isDeepStrictEqual(given, compressionOptions.parse({ codec: given.codec }))
  return plain ? codec : { ...given, codec: codec as CodecName }
}

function formOf(value: unknown, at: string): z.output<typeof compressionOptions> {
  if (isCodecName(value) || isCompressor(value)) return compressionOptions.parse({ codec: value })
  if (typeof value === 'object' && value !== null) return validate(compressionOptions, value, at)
  throw new ConfigError(`${at}: got ${showValue(value)}; ${WANT}`)
}

function compressorOf(
  { codec, level }: z.output<typeof compressionOptions>,
  at: string,
): Compressor | undefined {
  const named = typeof codec === 'string'
  const levels = named ? LEVELS[codec] : undefined
  if (level !== undefined && levels === undefined) {
    const who = named ? showValue(codec) : 'a compressor of your own'
    throw new ConfigError(`${at}.level: got ${showValue(level)}; ${who} has no levels: leave it out`)
  }
  if (level !== undefined && levels !== undefined) {
    const { least, most } = levels
    if (!Number.isSafeInteger(level) || level < least || level > most) {
      throw new ConfigError(
        `${at}.level: got ${showValue(level)}; ${showValue(codec)} has whole levels from ${least} to ${most}`,
      )
    }
  }
  const compressor = named ? codecOf(codec, level) : assertOwn(codec, at)
  if (compressor?.unavailable === undefined) return compressor
  throw new ConfigError(`${at}: got ${showValue(compressor.name)}; ${compressor.unavailable}`)
}

function assertOwn(own: Compressor, at: string): Compressor {
  const { name } = own
  if (typeof name !== 'string' || !NAME_FORM.test(name) || isCodecName(name)) {
    throw new ConfigError(
      `${at}.name: got ${showValue(name)}; want 1 to 32 of a-z, 0-9, '.', '_' and '-', and none of ${NAMES}`,
    )
  }
  return own
}

function isCodecName(value: unknown): value is CodecName {
  return CODEC_NAMES.some((name) => name === value)
}

function isCompressor(value: unknown): value is Compressor {
  if (typeof value !== 'object' || value === null) return false
  const { compress, decompress } = value as Partial<Compressor>
  return typeof compress === 'function' && typeof decompress === 'function'
}

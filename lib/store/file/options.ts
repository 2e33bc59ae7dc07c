import { resolve } from 'node:path'
import { z } from 'zod'
import {
  type ChunkCodec,
  compressionOption,
  createChunkCodec,
  readCompression,
} from '../../compression/index.js'
import { checked, option, required, wholeOption } from '../../config/option.js'
import { sizeOption } from '../../config/schema.js'
import { parseSize, showSize } from '../../config/units.js'
import { showValue, validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { isLogger, type Logger } from '../../logger.js'
import { isPartitions } from './format/directory.js'
import { MAX_PACKED, MAX_SEGMENT, MAX_VALUE } from './format/numbers.js'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

/** Policies of the file store, by name. */
export const FILE_POLICY_NAMES = ['fifo', 'lru', 'lfu', 'sieve', 's3-fifo'] as const
export type FilePolicyName = (typeof FILE_POLICY_NAMES)[number]

/** When a write is acknowledged: with a place in the writer's buffer, with `write`, with `fdatasync`. */
export const DURABILITIES = ['none', 'process', 'power'] as const
export type Durability = (typeof DURABILITIES)[number]

/** Why they stay. */
const AT_OPEN = 'the directory is opened with it'
const FORMAT = 'the directory has it from when it was made'

export const fileStoreOptions = z.strictObject({
  /** The directory. Made if it is not there; its parent must be. */
  dir: required(
    'The directory. Made if it is not there; its parent must be.',
    checked<string>(
      (value) =>
        typeof value === 'string' && value !== '' && !value.includes('\0')
          ? undefined
          : 'want the path of a directory',
      { type: 'string', minLength: 1 },
    ),
    { live: 'the directory is open' },
  ),
  /** Bound of what the directory takes on the disk, in blocks: at least 8 segments. */
  maxBytes: required(
    'Bound of what the directory takes on the disk, in blocks: at least 8 segments.',
    sizeOption,
    { unit: 'bytes', live: true },
  ),
  /** Bound of the index in memory. Default: 1/64 of `maxBytes`, from 16 MiB to 1 GiB. */
  maxIndexBytes: option('Bound of the index in memory.', sizeOption, {
    otherwise: '1/64 of `maxBytes`, from 16 MiB to 1 GiB',
    unit: 'bytes',
    live: AT_OPEN,
  }),
  /** What stays free of the file system, whoever fills it: a share from 0 to below 1, or a size. Default `0.05`. */
  minFree: option(
    'What stays free of the file system, whoever fills it: a share from 0 to below 1, or a size.',
    z.union([z.number().nonnegative(), sizeOption]),
    { default: 0.05, live: AT_OPEN },
  ),
  /** Larger values are not kept. Default: a quarter of `maxBytes`. */
  maxItemBytes: option('Larger values are not kept.', sizeOption, {
    otherwise: 'a quarter of `maxBytes`',
    unit: 'bytes',
    live: AT_OPEN,
  }),
  /** Who gets another turn when room is needed: `fifo lru lfu sieve s3-fifo`. Default `'s3-fifo'`. */
  policy: option(
    'Who gets another turn when room is needed: `fifo lru lfu sieve s3-fifo`.',
    z.enum(FILE_POLICY_NAMES),
    { default: 's3-fifo', live: AT_OPEN },
  ),
  /** Folders of blobs: a power of two from 1 to 256. What the directory has wins. Default `16`. */
  partitions: option(
    'Folders of blobs: a power of two from 1 to 256. What the directory has wins.',
    checked<number>(
      (value) => (isPartitions(value as number) ? undefined : 'want a power of two from 1 to 256'),
      { type: 'integer', enum: [1, 2, 4, 8, 16, 32, 64, 128, 256] },
    ),
    { default: 16, live: FORMAT },
  ),
  /** Values up to this are records of the log, larger ones files: at most 1 MiB. Default 64 KiB. */
  packLimit: option(
    'Values up to this are records of the log, larger ones files: at most 1 MiB.',
    sizeOption,
    { default: '64KiB', unit: 'bytes', live: AT_OPEN },
  ),
  /** Length of a segment of the log. Default: 1/64 of `maxBytes`, from 1 MiB to 64 MiB. */
  segmentBytes: option('Length of a segment of the log.', sizeOption, {
    otherwise: '1/64 of `maxBytes`, from 1 MiB to 64 MiB',
    unit: 'bytes',
    live: FORMAT,
  }),
  /** What is read and checked at once: a power of two from 4 KiB to 1 MiB. Default 64 KiB. */
  chunkBytes: option('What is read and checked at once: a power of two from 4 KiB to 1 MiB.', sizeOption, {
    default: '64KiB',
    unit: 'bytes',
    live: AT_OPEN,
  }),
  /** Who makes chunks smaller: a codec's name, more than that, or a `Compressor` of your own. Default `'none'`. */
  compression: option(
    "Who makes chunks smaller: a codec's name, more than that, or a `Compressor` of your own.",
    compressionOption,
    { default: 'none', live: AT_OPEN },
  ),
  /**
   * When a write is acknowledged: `none` at once, `process` when it survives the end of the process, `power` when it survives that of the machine.
   * Default `'process'`.
   */
  durability: option(
    'When a write is acknowledged: `none` at once, `process` when it survives the end of the process, `power` when it survives that of the machine.',
    z.enum(DURABILITIES),
    { default: 'process', live: AT_OPEN },
  ),
  /**
   * Bytes a second that making room in the background may always read and write, so that reads of entries come in between; four times what is
   * written, where that is more, and no limit where room is scarce. 0 is never a limit. Default 32 MiB.
   */
  reclaimRate: option(
    'Bytes a second that making room in the background may always read and write, so that reads of entries come in between; four times what is written, where that is more, and no limit where room is scarce. 0 is never a limit.',
    sizeOption,
    { default: '32MiB', unit: 'bytes', live: AT_OPEN },
  ),
  /** Reads of the disk at once: 1 to 128. Default `4`. */
  readConcurrency: option('Reads of the disk at once: 1 to 128.', wholeOption(1, 128), {
    default: 4,
    live: AT_OPEN,
  }),
  /** Files kept open for reading: 8 to 65,536. Default `256`. */
  openFiles: option('Files kept open for reading: 8 to 65,536.', wholeOption(8, 65_536), {
    default: 256,
    live: AT_OPEN,
  }),
  /** Told, in one line, what an open found and dropped. Default: nobody. */
  logger: option(
    'Told, in one line, what an open found and dropped.',
    checked<Logger>(
      (value) => (isLogger(value) ? undefined : 'want a logger: an object with the methods info and warn'),
      {},
    ),
    { otherwise: 'nobody', live: AT_OPEN, code: true },
  ),
})

/** Options of `fileStore`. */
export type FileStoreOptions = z.input<typeof fileStoreOptions>

/** What a file store runs on: checked, with defaults, in bytes. */
export interface FileConfig {
  readonly dir: string
  readonly maxBytes: number
  readonly maxIndexBytes: number
  /** A share of the file system below 1, else bytes. */
  readonly minFree: number
  readonly maxItemBytes: number
  readonly policy: FilePolicyName
  readonly partitions: number
  readonly packLimit: number
  readonly segmentBytes: number
  readonly chunkBytes: number
  readonly codec: ChunkCodec
  readonly durability: Durability
  /** Bytes a second; 0 for no limit. */
  readonly reclaimRate: number
  readonly readConcurrency: number
  readonly openFiles: number
  readonly logger: Logger | undefined
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readFileOptions(options: FileStoreOptions, at = 'fileStore'): FileConfig {
  const given = validate(fileStoreOptions, options, at)
  const maxBytes = parseSize(given.maxBytes)!
  const segmentBytes = parseSize(given.segmentBytes) ?? clamp(Math.floor(maxBytes / 64), MiB, 64 * MiB)
  const packLimit = parseSize(given.packLimit)!
  const chunkBytes = parseSize(given.chunkBytes)!
  const maxItemBytes = parseSize(given.maxItemBytes) ?? Math.floor(maxBytes / 4)
  const refuse = (name: string, value: unknown, want: string): never => {
    throw new ConfigError(`${at}.${name}: got ${showValue(value)}; want ${want}`)
  }
  if (segmentBytes < MiB || segmentBytes > MAX_SEGMENT) {
    refuse('segmentBytes', given.segmentBytes, `from 1 MiB to 4 GiB less 8 bytes`)
  }
  if (maxBytes < 8 * segmentBytes) {
    refuse(
      'maxBytes',
      given.maxBytes,
      `at least 8 segments, ${8 * segmentBytes} bytes (${showSize(8 * segmentBytes)})`,
    )
  }
  if (packLimit > MAX_PACKED) refuse('packLimit', given.packLimit, 'at most 1 MiB')
  if (!isChunkBytes(chunkBytes)) {
    refuse('chunkBytes', given.chunkBytes, 'a power of two from 4 KiB to 1 MiB')
  }
  if (maxItemBytes > maxBytes / 2 || maxItemBytes >= MAX_VALUE) {
    refuse('maxItemBytes', given.maxItemBytes, `at most half of maxBytes, ${Math.floor(maxBytes / 2)} bytes`)
  }
  return {
    dir: resolve(given.dir),
    maxBytes,
    maxIndexBytes: parseSize(given.maxIndexBytes) ?? clamp(Math.floor(maxBytes / 64), 16 * MiB, GiB),
    minFree: readMinFree(given.minFree),
    maxItemBytes,
    policy: given.policy,
    partitions: given.partitions,
    packLimit,
    segmentBytes: segmentBytes - (segmentBytes % 8),
    chunkBytes,
    codec: createChunkCodec(readCompression(given.compression, `${at}.compression`)),
    durability: given.durability,
    reclaimRate: parseSize(given.reclaimRate)!,
    readConcurrency: given.readConcurrency,
    openFiles: given.openFiles,
    logger: given.logger,
  }
}

function readMinFree(given: number | string): number {
  if (typeof given === 'number' && given < 1) return given
  return parseSize(given)!
}

function isChunkBytes(bytes: number): boolean {
  return bytes >= 4 * KiB && bytes <= MiB && (bytes & (bytes - 1)) === 0
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value))
}

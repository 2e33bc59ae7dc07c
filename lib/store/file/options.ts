import { resolve } from 'node:path'
import { z } from 'zod'
import {
  type ChunkCodec,
  compressionOption,
  createChunkCodec,
  readCompression,
} from '../../compression/index.js'
import { checked, option, partial, required, wholeOption } from '../../config/option.js'
import { sizeOption } from '../../config/schema.js'
import { parseSize, showSize } from '../../config/units.js'
import { showValue, validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { isLogger, type Logger } from '../../logger.js'
import { AT, differences, type Fixed, withoutFixed } from '../change.js'
import type { OptionChange, StoreFacts } from '../store.js'
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

/** What of the options can be changed while the store is open. */
const fileStoreLive = z.strictObject({
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
    live: true,
  }),
  /** What stays free of the file system, whoever fills it: a share from 0 to below 1, or a size. Default `0.05`. */
  minFree: option(
    'What stays free of the file system, whoever fills it: a share from 0 to below 1, or a size.',
    z.union([z.number().nonnegative(), sizeOption]),
    { default: 0.05, live: true },
  ),
  /** Larger values are not kept. Default: a quarter of `maxBytes`. */
  maxItemBytes: option('Larger values are not kept.', sizeOption, {
    otherwise: 'a quarter of `maxBytes`',
    unit: 'bytes',
    live: true,
  }),
  /** Who gets another turn when room is needed: `fifo lru lfu sieve s3-fifo`. Default `'s3-fifo'`. */
  policy: option(
    'Who gets another turn when room is needed: `fifo lru lfu sieve s3-fifo`.',
    z.enum(FILE_POLICY_NAMES),
    { default: 's3-fifo', live: true },
  ),
  /** Who makes chunks smaller: a codec's name, more than that, or a `Compressor` of your own. Default `'none'`. */
  compression: option(
    "Who makes chunks smaller: a codec's name, more than that, or a `Compressor` of your own.",
    compressionOption,
    { default: 'none', live: true },
  ),
  /**
   * When a write is acknowledged: `none` at once, `process` when it survives the end of the process, `power` when it survives that of the machine.
   * Default `'process'`.
   */
  durability: option(
    'When a write is acknowledged: `none` at once, `process` when it survives the end of the process, `power` when it survives that of the machine.',
    z.enum(DURABILITIES),
    { default: 'process', live: true },
  ),
  /**
   * Bytes a second that making room in the background may always read and write, so that reads of entries come in between; four times what is
   * written, where that is more, and no limit where room is scarce. 0 is never a limit. Default 32 MiB.
   */
  reclaimRate: option(
    'Bytes a second that making room in the background may always read and write, so that reads of entries come in between; four times what is written, where that is more, and no limit where room is scarce. 0 is never a limit.',
    sizeOption,
    { default: '32MiB', unit: 'bytes', live: true },
  ),
  /** Reads of the disk at once: 1 to 128. Default `4`. */
  readConcurrency: option('Reads of the disk at once: 1 to 128.', wholeOption(1, 128), {
    default: 4,
    live: true,
  }),
  /** Files kept open for reading: 8 to 65,536. Default `256`. */
  openFiles: option('Files kept open for reading: 8 to 65,536.', wholeOption(8, 65_536), {
    default: 256,
    live: true,
  }),
})

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
    { live: 'another directory is another store' },
  ),
  ...fileStoreLive.shape,
  /** Folders of blobs: a power of two from 1 to 256. What the directory has wins. Default `16`. */
  partitions: option(
    'Folders of blobs: a power of two from 1 to 256. What the directory has wins.',
    checked<number>(
      (value) => (isPartitions(value as number) ? undefined : 'want a power of two from 1 to 256'),
      { type: 'integer', enum: [1, 2, 4, 8, 16, 32, 64, 128, 256] },
    ),
    { default: 16, live: 'the directory was made with so many folders' },
  ),
  /** Values up to this are records of the log, larger ones files: at most 1 MiB. Default 64 KiB. */
  packLimit: option(
    'Values up to this are records of the log, larger ones files: at most 1 MiB.',
    sizeOption,
    { default: '64KiB', unit: 'bytes', live: 'values that are being written have gone by it already' },
  ),
  /** Length of a segment of the log. Default: 1/64 of `maxBytes`, from 1 MiB to 64 MiB. */
  segmentBytes: option('Length of a segment of the log.', sizeOption, {
    otherwise: '1/64 of `maxBytes`, from 1 MiB to 64 MiB',
    unit: 'bytes',
    live: 'files of the log have that length, and room is kept for them',
  }),
  /** What is read and checked at once: a power of two from 4 KiB to 1 MiB. Default 64 KiB. */
  chunkBytes: option('What is read and checked at once: a power of two from 4 KiB to 1 MiB.', sizeOption, {
    default: '64KiB',
    unit: 'bytes',
    live: 'values that are being written are cut by it already',
  }),
  /** Told, in one line, what an open found and dropped. Default: nobody. */
  logger: option(
    'Told, in one line, what an open found and dropped.',
    checked<Logger>(
      (value) => (isLogger(value) ? undefined : 'want a logger: an object with the methods info and warn'),
      {},
    ),
    { otherwise: 'nobody', live: 'it is told what an open found, and that is over', code: true },
  ),
})

const fileStorePatch = partial(fileStoreLive)

/** Options of `fileStore`. */
export type FileStoreOptions = z.input<typeof fileStoreOptions>
/** What `configure` of a file store takes. */
export type FileStorePatch = z.input<typeof fileStorePatch>

/** What a file store runs on: checked, with defaults, in bytes. */
export interface FileConfig {
  readonly dir: string
  readonly maxBytes: number
  readonly maxIndexBytes: number
  /** Nobody asked for `maxIndexBytes`, or `maxItemBytes`: it follows `maxBytes`. */
  readonly maxIndexFollows: boolean
  readonly maxItemFollows: boolean
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
  const refuse = (name: string, value: unknown, want: string): never => {
    throw new ConfigError(`${at}.${name}: got ${showValue(value)}; want ${want}`)
  }
  if (segmentBytes < MiB || segmentBytes > MAX_SEGMENT) {
    refuse('segmentBytes', given.segmentBytes, `from 1 MiB to 4 GiB less 8 bytes`)
  }
  if (packLimit > MAX_PACKED) refuse('packLimit', given.packLimit, 'at most 1 MiB')
  if (!isChunkBytes(chunkBytes)) {
    refuse('chunkBytes', given.chunkBytes, 'a power of two from 4 KiB to 1 MiB')
  }
  const config: FileConfig = {
    dir: resolve(given.dir),
    maxBytes,
    maxIndexBytes: parseSize(given.maxIndexBytes) ?? usualIndex(maxBytes),
    maxIndexFollows: given.maxIndexBytes === undefined,
    maxItemFollows: given.maxItemBytes === undefined,
    minFree: readMinFree(given.minFree),
    maxItemBytes: parseSize(given.maxItemBytes) ?? usualItem(maxBytes),
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
  assertTogether(config, at, given)
  return config
}

/** What becomes of `config`, whose codec stays. @throws as `readFileOptions` */
export function patchFileConfig(config: FileConfig, patch: FileStorePatch): FileConfig {
  const given = validate(fileStorePatch, withoutFixed(patch, fixedOf(config)), AT)
  const maxBytes = parseSize(given.maxBytes) ?? config.maxBytes
  const index = parseSize(given.maxIndexBytes)
  const maxIndexFollows = index === undefined && config.maxIndexFollows
  const item = parseSize(given.maxItemBytes)
  const maxItemFollows = item === undefined && config.maxItemFollows
  const changed: FileConfig = {
    ...config,
    maxBytes,
    maxIndexFollows,
    maxIndexBytes: index ?? (maxIndexFollows ? usualIndex(maxBytes) : config.maxIndexBytes),
    maxItemFollows,
    maxItemBytes: item ?? (maxItemFollows ? usualItem(maxBytes) : config.maxItemBytes),
    minFree: given.minFree === undefined ? config.minFree : readMinFree(given.minFree),
    policy: given.policy ?? config.policy,
    durability: given.durability ?? config.durability,
    reclaimRate: parseSize(given.reclaimRate) ?? config.reclaimRate,
    readConcurrency: given.readConcurrency ?? config.readConcurrency,
    openFiles: given.openFiles ?? config.openFiles,
  }
  assertTogether(changed, AT, { maxBytes, maxItemBytes: changed.maxItemBytes, ...given })
  return changed
}

/** What a store of `config` says of itself. */
export function fileFacts(config: FileConfig, native: boolean): StoreFacts {
  const { policy, codec, maxItemFollows, dir, durability, maxIndexBytes, minFree } = config
  const compression = codec.compressor?.name ?? 'none'
  return {
    kind: 'file',
    native,
    policy,
    compression,
    maxItemFollows,
    dir,
    durability,
    maxIndexBytes,
    minFree,
  }
}

/** What an operator sees change. */
export function fileChanges(from: FileConfig, to: FileConfig): OptionChange[] {
  return differences(from, to, LIVE)
}

const LIVE = [
  'maxBytes',
  'maxIndexBytes',
  'minFree',
  'maxItemBytes',
  'policy',
  'durability',
  'reclaimRate',
  'readConcurrency',
  'openFiles',
] as const

const sizeOf = (given: unknown): unknown => parseSize(given)

function fixedOf(config: FileConfig): Readonly<Record<string, Fixed>> {
  return {
    dir: {
      value: config.dir,
      read: (given) => (typeof given === 'string' ? resolve(given) : given),
      why: 'another directory is another store',
    },
    partitions: { value: config.partitions, why: 'the directory was made with so many folders' },
    segmentBytes: {
      value: config.segmentBytes,
      read: sizeOf,
      why: 'files of the log have that length, and room is kept for them; it is for the next open',
    },
    packLimit: {
      value: config.packLimit,
      read: sizeOf,
      why: 'values that are being written have gone by it already; it is for the next open',
    },
    chunkBytes: {
      value: config.chunkBytes,
      read: sizeOf,
      why: 'values that are being written are cut by it already; it is for the next open',
    },
    logger: { value: config.logger, why: 'it is told what an open found, and that is over' },
  }
}

/** What one option says about another. */
function assertTogether(
  { maxBytes, maxItemBytes, segmentBytes }: FileConfig,
  at: string,
  given: { readonly maxBytes?: unknown; readonly maxItemBytes?: unknown },
): void {
  if (maxBytes < 8 * segmentBytes) {
    throw new ConfigError(
      `${at}.maxBytes: got ${showValue(given.maxBytes)}; want at least 8 segments, ${8 * segmentBytes} bytes (${showSize(8 * segmentBytes)})`,
    )
  }
  if (maxItemBytes > maxBytes / 2 || maxItemBytes >= MAX_VALUE) {
    throw new ConfigError(
      `${at}.maxItemBytes: got ${showValue(given.maxItemBytes)}; want at most half of maxBytes, ${Math.floor(maxBytes / 2)} bytes`,
    )
  }
}

function usualIndex(maxBytes: number): number {
  return clamp(Math.floor(maxBytes / 64), 16 * MiB, GiB)
}

function usualItem(maxBytes: number): number {
  return Math.floor(maxBytes / 4)
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

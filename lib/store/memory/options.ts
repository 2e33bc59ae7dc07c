import { type CompressionConfig, type CompressionOption, readCompression } from '../../compression/options.js'
import { defaultMemoryBytes } from '../../config/memory.js'
import { defaultOf } from '../../config/option.js'
import {
  type MemoryStoreOptions,
  type MemoryStorePatch,
  memoryStoreOptions,
  memoryStorePatch,
} from '../../config/schema.js'
import { parseSize } from '../../config/units.js'
import { showValue, validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import { type EvictionPolicy, POLICY_NAMES, type PolicyName } from '../../policy/policy.js'
import { AT, differences, withoutFixed } from '../change.js'
import type { OptionChange, StoreFacts } from '../store.js'

/** The policy of a memory store that was given none. docs/reference/policies.md says why. */
export const DEFAULT_POLICY = defaultOf(memoryStoreOptions.shape.policy) as PolicyName

/** What a memory store runs on: checked, with defaults, in bytes. */
export interface MemoryConfig {
  readonly maxBytes: number
  readonly maxItemBytes: number
  /** Nobody asked for `maxItemBytes`: it follows `maxBytes`. */
  readonly maxItemFollows: boolean
  readonly policy: PolicyName | EvictionPolicy
  readonly name: string | undefined
  /** Values are kept compressed. */
  readonly compression?: CompressionConfig
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function readMemoryOptions(options: MemoryStoreOptions, at = 'memoryStore'): MemoryConfig {
  const given = validate(memoryStoreOptions, options, at)
  const maxBytes = parseSize(given.maxBytes) ?? defaultMemoryBytes()
  const maxItemBytes = parseSize(given.maxItemBytes)
  const compression = compressionOf(given.compression, given.name, `${at}.compression`)
  return checked(
    {
      maxBytes,
      maxItemBytes: maxItemBytes ?? eighth(maxBytes),
      maxItemFollows: maxItemBytes === undefined,
      policy: given.policy,
      name: given.name,
      ...(compression === undefined ? {} : { compression }),
    },
    at,
    given.maxItemBytes,
  )
}

/** `config` with what `patch` changes. @throws as `readMemoryOptions` */
export function patchMemoryConfig(config: MemoryConfig, patch: MemoryStorePatch): MemoryConfig {
  const live = withoutFixed(patch, {
    name: { value: config.name, why: 'it is how other threads find the same memory; want another store' },
    compression: {
      value: config.compression?.shown ?? 'none',
      why: 'one that was made without has values in another form, and in one with a name threads read them from each other; want a store that was made with compression, which can be changed',
    },
  })
  const given = validate(memoryStorePatch, live, AT)
  const maxBytes = parseSize(given.maxBytes) ?? config.maxBytes
  const maxItemBytes = parseSize(given.maxItemBytes)
  const follows = maxItemBytes === undefined && config.maxItemFollows
  return checked(
    {
      maxBytes,
      maxItemBytes: maxItemBytes ?? (follows ? eighth(maxBytes) : config.maxItemBytes),
      maxItemFollows: follows,
      policy: given.policy ?? config.policy,
      name: config.name,
    },
    AT,
    given.maxItemBytes ?? config.maxItemBytes,
  )
}

/** What a store of `config` says of itself. */
export function memoryFacts({ policy, maxItemFollows }: MemoryConfig, native: boolean): StoreFacts {
  return {
    kind: 'memory',
    native,
    policy: typeof policy === 'string' ? policy : 'own',
    compression: 'none',
    maxItemFollows,
  }
}

/** What an operator sees change. */
export function memoryChanges(from: MemoryConfig, to: MemoryConfig): OptionChange[] {
  return differences(from, to, ['maxBytes', 'maxItemBytes', 'policy'])
}

/** Undefined where nothing is to be compressed: a memory store has nothing from before that would have to be read. */
function compressionOf(
  option: CompressionOption,
  name: string | undefined,
  at: string,
): CompressionConfig | undefined {
  const config = readCompression(option, at)
  if (config.compressor === undefined) return undefined
  if (name === undefined) return config
  throw new ConfigError(
    `${at}: got ${showValue(option)} for the store named ${showValue(name)}, whose bodies worker threads read from each other while they grow; compression is for a store without a name`,
  )
}

function eighth(bytes: number): number {
  return Math.floor(bytes / 8)
}

/** What one option says about another. */
function checked(config: MemoryConfig, at: string, maxItemGiven: unknown): MemoryConfig {
  const { maxBytes, maxItemBytes, policy, name } = config
  if (maxItemBytes > maxBytes) {
    throw new ConfigError(
      `${at}.maxItemBytes: got ${showValue(maxItemGiven)}, which is ${maxItemBytes} bytes; want at most ${at}.maxBytes, ${maxBytes} bytes`,
    )
  }
  if (name !== undefined && typeof policy !== 'string') {
    throw new ConfigError(
      `${at}.policy: got ${showValue(policy)} for the store named ${showValue(name)}; a policy of your own is for a store without a name, which one thread has: want one of ${POLICY_NAMES.map((known) => showValue(known)).join(', ')}`,
    )
  }
  return config
}

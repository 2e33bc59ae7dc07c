import { defaultMemoryBytes } from '../../config/memory.js'
import { type MemoryStoreOptions, memoryStoreOptions } from '../../config/schema.js'
import { parseSize } from '../../config/units.js'
import { showValue, validate } from '../../config/validate.js'
import { ConfigError } from '../../errors.js'
import type { Store } from '../store.js'
import { jsMemoryStore } from './js.js'

/**
 * A tier in memory, off the JS heap, bounded in bytes. Values larger than `maxItemBytes` (an eighth of
 * `maxBytes` unless given) are not kept. The least recently used entry goes first.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const given = validate(memoryStoreOptions, options, 'memoryStore')
  const maxBytes = parseSize(given.maxBytes) ?? defaultMemoryBytes()
  const maxItemBytes = parseSize(given.maxItemBytes) ?? Math.floor(maxBytes / 8)
  if (maxItemBytes > maxBytes) {
    throw new ConfigError(
      `memoryStore.maxItemBytes: got ${showValue(given.maxItemBytes)}, which is ${maxItemBytes} bytes; want at most memoryStore.maxBytes, ${maxBytes} bytes`,
    )
  }
  return jsMemoryStore(maxBytes, maxItemBytes)
}

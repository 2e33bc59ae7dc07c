import type { MemoryStoreOptions } from '../../config/schema.js'
import { native } from '../../native/loader.js'
import { CompressedMemoryStore } from './compressed.js'
import { jsMemoryStore } from './js.js'
import type { MemoryStore } from './memory-store.js'
import { nativeMemoryStore } from './native.js'
import { readMemoryOptions } from './options.js'

/**
 * A tier in memory, off the JS heap, bounded in bytes. Values larger than `maxItemBytes` (an eighth of
 * `maxBytes` unless given) are not kept. Which entry goes first when room is needed says `policy`: `'w-tinylfu'`
 * unless given. With `compression`, values are kept as chunks that were made smaller, and `maxBytes` bounds those.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do.
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const config = readMemoryOptions(options)
  const addon = native()
  const store = addon === undefined ? jsMemoryStore(config) : nativeMemoryStore(config, addon)
  return config.compression === undefined ? store : new CompressedMemoryStore(store, config.compression)
}

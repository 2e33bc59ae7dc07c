import { native } from '../../native/loader.js'
import type { FileStore } from './file-store.js'
import { jsFileStore } from './js.js'
import { nativeFileStore } from './native.js'
import { type FileStoreOptions, readFileOptions } from './options.js'

/**
 * A tier in a directory: bounded in bytes of the disk, checked byte by byte, warm after a crash. One process at a time
 * has the directory. Docs: reference/file.md.
 *
 * The directory is opened with the cache, which fails then with `ERR_DREY_LOCKED`, `ERR_DREY_FORMAT`, `ERR_DREY_CORRUPT`,
 * `ERR_DREY_IO`, `ERR_DREY_NO_SPACE`, or `ERR_DREY_CONFIG` for a place that is none for it; each has the path.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do.
 */
export function fileStore(options: FileStoreOptions): FileStore {
  const config = readFileOptions(options)
  const addon = native()
  return addon === undefined ? jsFileStore(config) : nativeFileStore(config, addon)
}

import type { FileStore } from './file-store.js'
import { type FileSeams, JsFileStore, systemSeams } from './js/store.js'
import type { FileConfig } from './options.js'

/** The js engine of `fileStore`. */
export function jsFileStore(config: FileConfig, seams: Partial<FileSeams> = {}): FileStore {
  return new JsFileStore(config, { ...systemSeams, ...seams })
}

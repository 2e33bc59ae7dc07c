/*
 * Bugs of how the cache uses a buffer pool.
 */

/** `replace` is in `file` exactly once, and becomes `by`; `check` must then fail. */
export const BUGS = [
  // -- What somebody looks at is used again (I9).
  {
    name: 'pooled: a chunk of the window goes back while somebody holds it',
    file: 'lib/cache/window.ts',
    replace: 'return holds === 0 && ',
    by: 'return holds < 9 && ',
    check: 'pooled',
  },
  {
    name: 'pooled: what a store still reads into goes back when the reading is left',
    file: 'lib/cache/reader.ts',
    replace: '        left = true\n',
    by: '        left = true\n        this.#tier.scratch.put(memory)\n',
    check: 'pooled',
  },
  {
    name: 'pooled: a copy goes back before the store has it',
    file: 'lib/cache/write-path.ts',
    replace: 'await writer.write(copy)',
    by: 'writer.write(copy)',
    check: 'pooled',
  },
  {
    name: 'pooled: readers are given pooled memory for good',
    file: 'lib/cache/reader.ts',
    replace: 'piece = Buffer.allocUnsafeSlow(length)',
    by: 'piece = this.#tier.scratch.get(length)',
    check: 'pooled',
  },
  // -- What is wired.
  {
    name: 'pooled: the pool outlives its cache',
    file: 'lib/cache/streaming-cache.ts',
    replace: 'await this.#pool?.close()',
    by: 'await undefined',
    check: 'pooled',
  },
  {
    name: 'pooled: pressure does not reach the pool',
    file: 'lib/cache/streaming-cache.ts',
    replace: 'pressure: config.pressure,\n',
    by: 'pressure: undefined,\n',
    check: 'pooled',
  },
]

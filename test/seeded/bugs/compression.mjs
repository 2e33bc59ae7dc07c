/*
 * Bugs of compression: of what is believed when it is read, of memory that is used too early, and of what is stored.
 */

const CODEC = 'lib/compression/chunk-codec.ts'
const ENTRY = 'lib/store/compressed/entry.ts'
const GROWING = 'lib/store/compressed/growing-draft.ts'

/** `replace` is in `file` exactly once, and becomes `by`; `check` must then fail. */
export const BUGS = [
  // -- What is believed.
  {
    name: 'lz4 is believed what it says of its length',
    file: 'lib/compression/lz4.ts',
    replace: 'if (said === size) return',
    by: 'return',
    check: 'compression',
  },
  {
    name: 'lengths are not checked before a decompressor runs',
    file: CODEC,
    replace: 'stored > 0 && stored < size',
    by: 'true',
    check: 'compression',
  },
  {
    name: 'the length is not checked after a decompressor ran',
    file: CODEC,
    replace: 'if (made.length !== size)',
    by: 'if (made.length === 0)',
    check: 'compression',
  },
  {
    name: 'gzip may give as much as it likes',
    file: 'lib/compression/gzip.ts',
    replace: 'decompress(bytes, { maxOutputLength: size,',
    by: 'decompress(bytes, { maxOutputLength: 2 ** 30,',
    check: 'compressors',
  },
  {
    name: 'what is absent counts as damaged',
    file: CODEC,
    replace: '{ absent: true }',
    by: '{}',
    check: 'compression',
  },
  {
    name: 'an entry whose codec is absent is removed',
    file: 'lib/store/compressed/compressed.ts',
    replace: 'entry.release()\n    return undefined',
    by: 'this.#drop(key)\n    return undefined',
    check: 'compression',
  },
  // -- Memory and order.
  {
    name: 'a signal frees memory that is still being read',
    file: CODEC,
    replace: 'made = usable(await config.compressor!.compress(bytes))',
    by: "made = usable(await Promise.race([config.compressor!.compress(bytes), new Promise((done) => signal?.addEventListener('abort', done as never))]))",
    check: 'compression',
  },
  {
    name: 'an entry is released while it is read',
    file: ENTRY,
    replace: 'if (this.#busy === 0) this.inner.release()\n  }\n\n  /** Small',
    by: 'this.inner.release()\n  }\n\n  /** Small',
    check: 'compression',
  },
  {
    name: 'chunks of a stream come as they are done',
    file: 'lib/compression/stream.ts',
    replace: 'if (underWay.length > config.concurrency) yield await underWay.shift()!',
    by: 'if (underWay.length > config.concurrency) yield await underWay.pop()!',
    check: 'compression',
  },
  {
    name: 'chunks of an entry are put away in another order',
    file: 'lib/store/compressed/passing-draft.ts',
    replace: 'while (underWay.length > 0) if (!(await this.#put(await underWay.shift()!)))',
    by: 'while (underWay.length > 0) if (!(await this.#put(await underWay.pop()!)))',
    check: 'compression',
  },
  {
    name: 'there is no bound to what is worked on at once',
    file: CODEC,
    replace: "createLimiter({ name: 'compression', concurrency,",
    by: "createLimiter({ name: 'compression', concurrency: concurrency + 60,",
    check: 'compression',
  },
  // -- What is stored.
  {
    name: 'what does not pay is tried for ever',
    file: 'lib/compression/probe.ts',
    replace: 'this.#resting = this.#rest\n',
    by: '',
    check: 'compression',
  },
  {
    name: 'chunks before the first that gets smaller are lost',
    file: GROWING,
    replace: 'index < this.#lengths.length',
    by: 'index < this.#lengths.length - 1',
    check: 'compression',
  },
  {
    name: 'a value that could not be compressed is not kept at all',
    file: GROWING,
    replace: 'if (this.#committed?.fenced !== true) return this.#commitRaw(metadata)',
    by: '',
    check: 'compression',
  },
  {
    name: 'the user of an entry is mistaken for a layout',
    file: 'lib/store/compressed/layout.ts',
    replace: "const mistakable = typeof user === 'object' && user !== null && MARK in user",
    by: 'const mistakable = false',
    check: 'compression',
  },
]

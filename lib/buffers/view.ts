type ViewOf = new (memory: ArrayBuffer, at: number, length: number) => Buffer

/** What Node itself makes of every Buffer, as it says by the way that engines ask for it. */
const species: unknown = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species]

function isBufferMaker(value: unknown): value is ViewOf {
  return typeof value === 'function' && value.prototype === Buffer.prototype
}

const FastBuffer: ViewOf | undefined = isBufferMaker(species) ? species : undefined

/**
 * A Buffer over a part of some memory: what `Buffer.from` gives, without its questions about what it was given, which take longer than
 * all the rest of a `get`.
 */
export const viewOf: (memory: ArrayBuffer, at: number, length: number) => Buffer =
  FastBuffer === undefined
    ? (memory, at, length) => Buffer.from(memory, at, length)
    : (memory, at, length) => new FastBuffer(memory, at, length)

import { showValue } from '../config/validate.js'
import { abortedBy, CompressionError, ConfigError, messageOf } from '../errors.js'
import { createLimiter, type Limiter } from '../resilience/limiter/limiter.js'
import type { Later } from '../store/store.js'
import type { StoredChunk } from './chunk.js'
import { knownCodecs } from './codecs.js'
import { CODEC_IDS, type Compressor, codecId, MAX_CHUNK } from './compressor.js'
import type { ContentHint } from './content.js'
import type { CompressionConfig } from './options.js'
import { Probe } from './probe.js'
import { CompressionCounters, type CompressionStats } from './stats.js'

/** Compresses the chunks of one value, in their order. */
export interface ChunkEncoder {
  /** Who compresses them; undefined when nobody does. */
  readonly compressor: Compressor | undefined
  /**
   * The chunk as it is to be stored: at once where it is not tried. `bytes`, at most MAX_CHUNK, must not change until the answer is
   * there, and where they are kept as they are, they are the answer's, too. A compressor that fails costs the saving, not the
   * chunk. Any number of calls may wait.
   *
   * @throws (or rejects) `ERR_DREY_ABORTED`, once nobody reads `bytes` any more
   */
  encode(bytes: Uint8Array, signal?: AbortSignal): Later<StoredChunk>
}

/** Compresses and decompresses chunks, a bounded number at a time. */
export interface ChunkCodec {
  /** Who compresses; undefined when nobody does. */
  readonly compressor: Compressor | undefined
  readonly config: CompressionConfig
  /**
   * What is stored from now on is made by `config`. Encoders that were given out go on as they began, and what any compressor made that was
   * configured before is read as ever.
   *
   * @throws `ERR_DREY_CONFIG` where that could not be: see `conflict`
   */
  configure(config: CompressionConfig): void
  /** Why `config` cannot be configured now; undefined when it can. */
  conflict(config: CompressionConfig): string | undefined
  /** For the chunks of one value. */
  encoder(hint?: ContentHint): ChunkEncoder
  /**
   * Why chunks of that codec cannot be read here: then they are as good as not there, and not damaged. Undefined when they can.
   * `name` is what a value says of the user's codec that made its chunks: to be asked before they are decoded.
   */
  absence(codec: number, name?: string): string | undefined
  /** What the codec with this id is called. */
  nameOf(codec: number): string
  /** Whether `decodeSync` reads chunks of that codec that have `size` bytes. */
  readsAtOnce(codec: number, size: number): boolean
  /**
   * The piece, of exactly `chunk.size` bytes; of one that was kept as it is, the memory is that of `chunk.bytes`, else
   * the caller's own. Its bytes must not change until the answer is there.
   *
   * @throws (or rejects) `ERR_DREY_COMPRESSION`, with `absent` saying which of the two it is; `ERR_DREY_ABORTED`
   */
  decode(chunk: StoredChunk, signal?: AbortSignal): Later<Uint8Array>
  /** As `decode`, at once; undefined where the codec does not do that, or it would take long. @throws as `decode` */
  decodeSync(chunk: StoredChunk): Uint8Array | undefined
  stats(): CompressionStats
}

/** Larger ones are not worked on on the event loop. */
const MOST_AT_ONCE = 64 * 1024

/** What is compressed and decompressed with `config`; a codec of the user's in it is known for reading, too. */
export function createChunkCodec(config: CompressionConfig): ChunkCodec {
  return new BoundedCodec(config)
}

/** Invariant: at most `config.concurrency` calls of compressors are under way, decompressing first. */
class BoundedCodec implements ChunkCodec {
  #config: CompressionConfig
  readonly #counters = new CompressionCounters()
  readonly #limiter: Limiter
  readonly #known: Map<number, Compressor>

  constructor(config: CompressionConfig) {
    this.#config = config
    this.#known = knownCodecs()
    const { compressor } = config
    if (compressor !== undefined) this.#known.set(codecId(compressor.name), compressor)
    // Those that wait hold chunks, which are bounded by those who have them: none has to be refused.
    const { concurrency } = config
    this.#limiter = createLimiter({ name: 'compression', concurrency, queue: Number.MAX_SAFE_INTEGER })
  }

  get config(): CompressionConfig {
    return this.#config
  }

  get compressor(): Compressor | undefined {
    return this.#config.compressor
  }

  configure(config: CompressionConfig): void {
    const why = this.conflict(config)
    if (why !== undefined) throw new ConfigError(why)
    const { compressor, concurrency } = config
    if (compressor !== undefined) this.#known.set(codecId(compressor.name), compressor)
    this.#limiter.configure({ concurrency })
    this.#config = config
  }

  conflict({ compressor }: CompressionConfig): string | undefined {
    const known = compressor === undefined ? undefined : this.#known.get(codecId(compressor.name))
    if (known === undefined || known.name === compressor!.name) return undefined
    // Chunks say which codec made them by a number, and all that are the user's own have one between them.
    return `compression: got ${showValue(compressor!.name)}; what ${showValue(known.name)} has made could not be read beside it: change to a compressor of another name when the store is made anew`
  }

  encoder(hint: ContentHint = {}): ChunkEncoder {
    const { config } = this
    const { compressor, skips, minSize } = config
    const probe = compressor === undefined || skips(hint) ? undefined : new Probe()
    return {
      compressor,
      encode: (bytes, signal) => {
        if (signal !== undefined) assertWanted(signal, 'compressing')
        if (probe === undefined || bytes.length < minSize || !probe.tries()) {
          this.#counters.skipped += 1
          return this.#raw(bytes)
        }
        if (
          compressor!.compressSync !== undefined &&
          bytes.length <= atOnce(compressor!.syncBytes?.compress)
        ) {
          return this.#compressSync(config, probe, bytes)
        }
        return this.#compress(config, probe, bytes, signal)
      },
    }
  }

  absence(codec: number, name?: string): string | undefined {
    if (codec === CODEC_IDS.none) return undefined
    const known = this.#known.get(codec)
    if (known === undefined)
      return `there is no ${name === undefined ? `codec with the id ${codec}` : showValue(name)}`
    if (name === undefined || name === known.name) return known.unavailable
    return `there is no ${showValue(name)}, but ${showValue(known.name)}`
  }

  nameOf(codec: number): string {
    return codec === CODEC_IDS.none ? 'none' : (this.#known.get(codec)?.name ?? `codec ${codec}`)
  }

  readsAtOnce(id: number, size: number): boolean {
    if (id === CODEC_IDS.none) return true
    const codec = this.#known.get(id)
    return codec?.decompressSync !== undefined && size <= atOnce(codec.syncBytes?.decompress)
  }

  decode(chunk: StoredChunk, signal?: AbortSignal): Later<Uint8Array> {
    if (signal !== undefined) assertWanted(signal, 'decompressing')
    const codec = this.#codecOf(chunk)
    return codec === undefined ? chunk.bytes : this.#decompress(codec, chunk, signal)
  }

  decodeSync(chunk: StoredChunk): Uint8Array | undefined {
    const codec = this.#codecOf(chunk)
    if (codec === undefined) return chunk.bytes
    if (!this.readsAtOnce(chunk.codec, chunk.size)) return undefined
    try {
      return this.#checked(codec.decompressSync!(chunk.bytes, chunk.size), codec, chunk)
    } catch (error) {
      throw this.#unreadable(codec, chunk, error)
    }
  }

  stats(): CompressionStats {
    return this.#counters.stats(this.compressor?.name ?? 'none')
  }

  async #compress(
    config: CompressionConfig,
    probe: Probe,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<StoredChunk> {
    const permit = await this.#limiter.acquire({ signal })
    let made: Uint8Array | undefined
    try {
      made = usable(await config.compressor!.compress(bytes))
    } catch {
      // Counted below, as an answer that is of no use is: the chunk is kept as it is.
    } finally {
      permit.release()
    }
    if (signal !== undefined) assertWanted(signal, 'compressing')
    return this.#better(config, probe, bytes, made)
  }

  #compressSync(config: CompressionConfig, probe: Probe, bytes: Uint8Array): StoredChunk {
    let made: Uint8Array | undefined
    try {
      made = usable(config.compressor!.compressSync!(bytes))
    } catch {
      // As above.
    }
    return this.#better(config, probe, bytes, made)
  }

  /** What was made of `bytes`, if that pays; else `bytes`. */
  #better(
    { compressor, minRatio }: CompressionConfig,
    probe: Probe,
    bytes: Uint8Array,
    made: Uint8Array | undefined,
  ): StoredChunk {
    const small = made !== undefined && made.length < bytes.length
    const paid = small && made!.length * minRatio <= bytes.length
    probe.learn(paid)
    if (!paid) {
      if (made === undefined) this.#counters.failures += 1
      else this.#counters.unpaid += 1
      return this.#raw(bytes)
    }
    this.#counters.compressed += 1
    this.#counters.stored(bytes.length, made!.length)
    return { codec: codecId(compressor!.name), size: bytes.length, bytes: made! }
  }

  #raw(bytes: Uint8Array): StoredChunk {
    this.#counters.stored(bytes.length, bytes.length)
    return { codec: CODEC_IDS.none, size: bytes.length, bytes }
  }

  async #decompress(
    codec: Compressor,
    chunk: StoredChunk,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const permit = await this.#limiter.acquire({ signal, priority: 'high' })
    let made: Uint8Array
    try {
      made = this.#checked(await codec.decompress(chunk.bytes, chunk.size), codec, chunk)
    } catch (error) {
      throw this.#unreadable(codec, chunk, error)
    } finally {
      permit.release()
    }
    if (signal !== undefined) assertWanted(signal, 'decompressing')
    return made
  }

  /** Who reads `chunk`; nobody has to where it was kept as it is. Its lengths are checked here, before anybody believes them. */
  #codecOf({ codec: id, size, bytes }: StoredChunk): Compressor | undefined {
    const why = this.absence(id)
    if (why !== undefined) {
      this.#counters.unreadable += 1
      throw new CompressionError(
        `a chunk was compressed by ${this.nameOf(id)}, which is not there: ${why}; read it where it is, or give its Compressor as compression`,
        { absent: true },
      )
    }
    const stored = bytes.length
    const right =
      id === CODEC_IDS.none
        ? stored === size
        : Number.isSafeInteger(size) && size <= MAX_CHUNK && stored > 0 && stored < size
    if (!right) {
      this.#counters.unreadable += 1
      throw new CompressionError(
        `a chunk of ${this.nameOf(id)} has ${stored} bytes for ${size}; want ${id === CODEC_IDS.none ? 'as many' : `fewer, and at most ${MAX_CHUNK} in the end`}`,
      )
    }
    return id === CODEC_IDS.none ? undefined : this.#known.get(id)
  }

  #checked(made: unknown, codec: Compressor, { size }: StoredChunk): Uint8Array {
    if (!(made instanceof Uint8Array)) throw new Error(`${codec.name} gave ${typeof made}; want bytes`)
    if (made.length !== size) throw new Error(`${codec.name} gave ${made.length} bytes; want ${size}`)
    this.#counters.decompressed += 1
    return made
  }

  #unreadable(codec: Compressor, { size, bytes }: StoredChunk, cause: unknown): CompressionError {
    this.#counters.unreadable += 1
    return new CompressionError(
      `a chunk of ${codec.name}, ${bytes.length} bytes for ${size}, cannot be decompressed: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/** What a compressor of the user's gave, if it is bytes. */
function usable(made: unknown): Uint8Array | undefined {
  return made instanceof Uint8Array && made.length > 0 ? made : undefined
}

function atOnce(bytes = MOST_AT_ONCE): number {
  return Math.min(bytes, MOST_AT_ONCE)
}

function assertWanted(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw abortedBy(signal, what)
}

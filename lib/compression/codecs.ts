import { type Compressor, codecId } from './compressor.js'
import { gzip } from './gzip.js'
import { lz4 } from './lz4.js'
import { zstd } from './zstd.js'

/** Codecs that an option may name. */
export const CODEC_NAMES = ['none', 'lz4', 'gzip', 'zstd'] as const
export type CodecName = (typeof CODEC_NAMES)[number]

/** The levels that a codec has, and the one that it takes unless told. docs/guides/compression.md says why. */
export const LEVELS: Readonly<
  Partial<Record<CodecName, { readonly least: number; readonly most: number; readonly usual: number }>>
> = {
  gzip: { least: 1, most: 9, usual: 6 },
  zstd: { least: 1, most: 19, usual: 3 },
}

/** The codec of that name; none for `'none'`. */
export function codecOf(name: CodecName, level = LEVELS[name]?.usual ?? 0): Compressor | undefined {
  switch (name) {
    case 'none':
      return undefined
    case 'lz4':
      return lz4()
    case 'gzip':
      return gzip(level)
    case 'zstd':
      return zstd(level)
  }
}

/** Those that can read what drey's own codecs wrote, at whatever level, by id. */
export function knownCodecs(): Map<number, Compressor> {
  const codecs = CODEC_NAMES.map((name) => codecOf(name)).filter((codec) => codec !== undefined)
  return new Map(codecs.map((codec) => [codecId(codec.name), codec]))
}

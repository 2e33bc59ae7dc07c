import { gzip } from '../../lib/compression/gzip.js'
import { lz4 } from '../../lib/compression/lz4.js'
import { zstd } from '../../lib/compression/zstd.js'
import { OwnCompressor } from '../helpers/own-compressor.js'
import { compressorConformance } from './compressor.js'

compressorConformance('lz4', lz4, [lz4])
for (const level of [1, 6, 9]) {
  compressorConformance(`gzip, level ${level},`, () => gzip(level), [() => gzip(1), () => gzip(9)])
}
// Where Node has it.
if (zstd(3).unavailable === undefined) {
  for (const level of [1, 3, 19]) {
    compressorConformance(`zstd, level ${level},`, () => zstd(level), [() => zstd(1), () => zstd(19)])
  }
}
// The suite has to be right for what has neither levels nor answers at once, too.
compressorConformance('a compressor of the user', () => new OwnCompressor())

import { describe, test } from 'vitest'
import type { Compressor } from '../../lib/compression/compressor.js'
import { gzip } from '../../lib/compression/gzip.js'
import { lz4 } from '../../lib/compression/lz4.js'
import { zstd } from '../../lib/compression/zstd.js'
import { compressorSuite, runSuite } from '../../lib/testing/index.js'
import { OwnCompressor } from '../helpers/own-compressor.js'

function conforms(name: string, make: () => Compressor, older?: ReadonlyArray<() => Compressor>): void {
  describe(`${name} keeps the contract of a compressor`, () => {
    runSuite(compressorSuite(make, older && { older }), test)
  })
}

conforms('lz4', lz4, [lz4])
for (const level of [1, 6, 9])
  conforms(`gzip, level ${level},`, () => gzip(level), [() => gzip(1), () => gzip(9)])
// Where Node has it.
if (zstd(3).unavailable === undefined) {
  for (const level of [1, 3, 19]) {
    conforms(`zstd, level ${level},`, () => zstd(level), [() => zstd(1), () => zstd(19)])
  }
}
// The suite has to be right for what has neither levels nor answers at once, too.
conforms('a compressor of the user', () => new OwnCompressor())

/*
 * SipHash-2-4 with 128 bits of output without the addon; native/core/hash.h says why this one. A word of 64
 * bits is two of 32, `…h` the high and `…l` the low: BigInt would allocate at every step.
 */

/** Writes the hash of the first `size` bytes of `data` under `key`, 16 bytes, to the first four elements of `out`. */
export function hash128Js(key: Uint8Array, data: Uint8Array, size: number, out: Uint32Array): void {
  const words = size >>> 3
  const k0l = word(key, 0)
  const k0h = word(key, 4)
  const k1l = word(key, 8)
  const k1h = word(key, 12)

  // "somepseudorandomlygeneratedbytes", and the mark of the variant with 128 bits of output.
  let v0h = k0h ^ 0x736f6d65
  let v0l = k0l ^ 0x70736575
  let v1h = k1h ^ 0x646f7261
  let v1l = k1l ^ 0x6e646f6d ^ 0xee
  let v2h = k0h ^ 0x6c796765
  let v2l = k0l ^ 0x6e657261
  let v3h = k1h ^ 0x74656462
  let v3l = k1l ^ 0x79746573

  // Steps 0 to words - 1 absorb a word each, step `words` the rest and the size; the two steps after that
  // squeeze 64 bits out. They are one loop because the rounds are the same, and are written down once.
  for (let step = 0; step < words + 3; step++) {
    const absorbing = step <= words
    let mh = 0
    let ml = 0
    if (step < words) {
      ml = word(data, step * 8)
      mh = word(data, step * 8 + 4)
    } else if (absorbing) {
      mh = size << 24
      for (let at = words * 8, shift = 0; at < size; at++, shift += 8) {
        if (shift < 32) ml |= data[at]! << shift
        else mh |= data[at]! << (shift - 32)
      }
    } else if (step === words + 1) {
      v2l ^= 0xee
    } else {
      v1l ^= 0xdd
    }
    v3h ^= mh
    v3l ^= ml
    for (let round = absorbing ? 2 : 4; round > 0; round--) {
      v0h = (v0h + v1h + carry(v0l, v1l)) | 0
      v0l = (v0l + v1l) | 0
      v2h = (v2h + v3h + carry(v2l, v3l)) | 0
      v2l = (v2l + v3l) | 0
      let high = v1h
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = ((v1l << 13) | (high >>> 19)) ^ v0l
      high = v3h
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = ((v3l << 16) | (high >>> 16)) ^ v2l
      high = v0h
      v0h = v0l
      v0l = high
      v2h = (v2h + v1h + carry(v2l, v1l)) | 0
      v2l = (v2l + v1l) | 0
      v0h = (v0h + v3h + carry(v0l, v3l)) | 0
      v0l = (v0l + v3l) | 0
      high = v1h
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = ((v1l << 17) | (high >>> 15)) ^ v2l
      high = v3h
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = ((v3l << 21) | (high >>> 11)) ^ v0l
      high = v2h
      v2h = v2l
      v2l = high
    }
    v0h ^= mh
    v0l ^= ml
    if (!absorbing) {
      const half = step === words + 1 ? 0 : 2
      out[half] = v0l ^ v1l ^ v2l ^ v3l
      out[half + 1] = v0h ^ v1h ^ v2h ^ v3h
    }
  }
}

/** 1 if the sum of two words of 32 bits does not fit one. */
function carry(a: number, b: number): number {
  return (a >>> 0) + (b >>> 0) > 0xffffffff ? 1 : 0
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** Numbers that look random and are the same in every run, so that a failure can be had again. */
export interface Random {
  /** A whole number from 0 to below `end`. */
  below(end: number): number
  /** One of them. */
  pick<T>(from: readonly T[]): T
  bytes(size: number): Uint8Array
}

/** Marsaglia's xorshift32 (2003): even enough to make test data, and no more is asked of it. */
export function randomOf(seed: number): Random {
  let state = (Math.imul(seed, 2654435761) + 1) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (end: number): number => (next() >>> 4) % end
  return {
    below,
    pick: (from) => from[below(from.length)]!,
    bytes: (size) => Uint8Array.from({ length: size }, () => next() >>> 16),
  }
}

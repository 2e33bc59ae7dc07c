/*
 * How tests by property draw their cases.
 *
 * `DREY_SEED=1` draws the same each time, for a gate that is to say something of the change before it and nothing of its luck; without it each run
 * draws others, and says the seed of what it finds. `DREY_SEEDED=1`: a bug that was seeded (test/seeded) is to be found, and not to be shrunk to its
 * smallest example.
 */
const { DREY_SEED, DREY_SEEDED } = process.env
if (DREY_SEED !== undefined || DREY_SEEDED === '1') {
  const { default: fc } = await import('fast-check')
  fc.configureGlobal({
    ...(DREY_SEED === undefined ? {} : { seed: Number(DREY_SEED) }),
    ...(DREY_SEEDED === '1' ? { endOnFailure: true } : {}),
  })
}

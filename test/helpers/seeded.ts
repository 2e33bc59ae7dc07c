/*
 * A bug that was seeded (test/seeded) is to be found, and not to be shrunk to its smallest example.
 */
if (process.env['DREY_SEEDED'] === '1') {
  const { default: fc } = await import('fast-check')
  fc.configureGlobal({ endOnFailure: true })
}

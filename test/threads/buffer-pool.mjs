/** As `test/helpers/buffer-pool.ts`, for threads, which run what is built. */
export const bufferPool = { on: true, off: false, debug: { debug: true } }[
  process.env.TEST_BUFFER_POOL ?? 'on'
]

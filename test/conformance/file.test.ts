import { afterAll, expect } from 'vitest'
import { engines, enginesOfPath } from '../helpers/file-rig.js'
import { compared, readByTheOther } from '../helpers/other-engine.js'
import { storeConformance } from './store.js'

/*
 * The file store keeps the contract of a store; and what each engine leaves behind after each test, the other reads (I10).
 */

const PATCH = { maxBytes: '3MiB', policy: 'sieve', compression: 'lz4' }

for (const engine of engines()) {
  storeConformance(`the ${engine.name} engine of fileStore`, readByTheOther(engine), 'live', PATCH)
}

for (const engine of enginesOfPath()) {
  const name = `the ${engine.name} engine of fileStore`

  storeConformance(
    `${name}, with everything in blobs`,
    readByTheOther(engine, { packLimit: 0, chunkBytes: 4096 }),
    'live',
    PATCH,
  )

  storeConformance(
    `${name}, against the loss of power`,
    readByTheOther(engine, { durability: 'power' }),
    'live',
    PATCH,
  )

  storeConformance(
    `${name}, without durability`,
    readByTheOther(engine, { durability: 'none' }),
    'live',
    PATCH,
  )
}

afterAll(() => {
  expect(compared.directories).toBeGreaterThan(0)
})

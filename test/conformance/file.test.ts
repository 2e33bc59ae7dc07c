import { engines } from '../helpers/file-rig.js'
import { storeConformance } from './store.js'

for (const { name, make } of engines()) {
  const engine = `the ${name} engine of fileStore`

  storeConformance(engine, (bounds) => make(bounds))

  storeConformance(`${engine}, with everything in blobs`, (bounds) =>
    make({ ...bounds, packLimit: 0, chunkBytes: 4096 }),
  )

  storeConformance(`${engine}, against the loss of power`, (bounds) =>
    make({ ...bounds, durability: 'power' }),
  )

  storeConformance(`${engine}, without durability`, (bounds) => make({ ...bounds, durability: 'none' }))
}

import { fileStoreOf } from '../helpers/file-rig.js'
import { storeConformance } from './store.js'

storeConformance('the js engine of fileStore', (bounds) => fileStoreOf(bounds))

storeConformance('the js engine of fileStore, with everything in blobs', (bounds) =>
  fileStoreOf({ ...bounds, packLimit: 0, chunkBytes: 4096 }),
)

storeConformance('the js engine of fileStore, against the loss of power', (bounds) =>
  fileStoreOf({ ...bounds, durability: 'power' }),
)

storeConformance('the js engine of fileStore, without durability', (bounds) =>
  fileStoreOf({ ...bounds, durability: 'none' }),
)

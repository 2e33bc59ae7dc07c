import { FILE_POLICY_NAMES } from '../../lib/store/file/options.js'
import { fileStoreOf } from '../helpers/file-rig.js'
import { storeConformance } from './store.js'

for (const policy of FILE_POLICY_NAMES) {
  storeConformance(`the js engine of fileStore, ${policy},`, (bounds) => fileStoreOf({ ...bounds, policy }))
}

storeConformance('the js engine of fileStore, with everything in blobs,', (bounds) =>
  fileStoreOf({ ...bounds, packLimit: 0, chunkBytes: 4096 }),
)

storeConformance('the js engine of fileStore, against the loss of power,', (bounds) =>
  fileStoreOf({ ...bounds, durability: 'power' }),
)

storeConformance('the js engine of fileStore, without durability,', (bounds) =>
  fileStoreOf({ ...bounds, durability: 'none' }),
)

import { jsMemoryStore } from '../../lib/store/memory/js.js'
import { storeConformance } from './store.js'

storeConformance('the js engine of memoryStore', ({ maxBytes, maxItemBytes }) =>
  jsMemoryStore(maxBytes, maxItemBytes),
)

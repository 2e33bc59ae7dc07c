import { DistantStore } from '../helpers/distant-store.js'
import { storeConformance } from './store.js'

// The suite has to be right for stores that answer later and lend nothing, too.
storeConformance('a distant store', (bounds) => new DistantStore(bounds))

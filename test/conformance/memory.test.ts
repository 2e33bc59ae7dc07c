import { POLICY_NAMES } from '../../lib/policy/policy.js'
import { ownLru } from '../helpers/own-lru.js'
import { storeConformance } from './store.js'
import { jsStore } from './store-kit.js'

for (const policy of POLICY_NAMES) {
  storeConformance(
    `the js engine of memoryStore, ${policy},`,
    ({ maxBytes, maxItemBytes }) => jsStore(maxBytes, maxItemBytes, policy),
    'live',
    { maxBytes: '3MiB' },
  )
}

storeConformance('the js engine of memoryStore, with a policy of the user,', ({ maxBytes, maxItemBytes }) =>
  jsStore(maxBytes, maxItemBytes, ownLru()),
)

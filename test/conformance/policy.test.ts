import { describe, test } from 'vitest'
import { policySuite, runSuite } from '../../lib/testing/index.js'
import { ownLru } from '../helpers/own-lru.js'
import { mru } from '../helpers/user-policy.js'

describe('a policy that evicts the least recently used', () => {
  runSuite(policySuite(ownLru), test)
})

describe('one that evicts the most recently used', () => {
  runSuite(policySuite(mru), test)
})

import { Fifo } from './fifo.js'
import { Lfu } from './lfu.js'
import { Lru } from './lru.js'
import { type Policy, type PolicyName, type PolicyNode, type TakeMemory, takeAny } from './policy.js'
import { S3Fifo } from './s3-fifo.js'
import { Sieve } from './sieve.js'
import { WTinyLfu } from './w-tinylfu.js'

/**
 * A policy that drey brings.
 *
 * @param name which one
 * @param capacity bytes that the store may hold; `setCapacity` changes it
 * @param evictable whether an entry can go now; one that is being read or written out cannot
 * @param take whether the policy may take memory
 */
export function createPolicy<N extends PolicyNode<N>>(
  name: PolicyName,
  capacity: number,
  evictable: (node: N) => boolean,
  take: TakeMemory = takeAny,
): Policy<N> {
  switch (name) {
    case 'lru':
      return new Lru(evictable)
    case 'lfu':
      return new Lfu(evictable, take)
    case 'fifo':
      return new Fifo(evictable)
    case 'sieve':
      return new Sieve(evictable)
    case 's3-fifo':
      return new S3Fifo(evictable, capacity, take)
    case 'w-tinylfu':
      return new WTinyLfu(evictable, capacity, take)
  }
}

/*
 * Each policy on sequences short enough to follow with a pencil.
 */
import { describe, expect, it } from 'vitest'
import { createPolicy } from '../../../lib/policy/create.js'
import { Lfu } from '../../../lib/policy/lfu.js'
import { type Policy, type PolicyName, takeAny } from '../../../lib/policy/policy.js'
import { WTinyLfu } from '../../../lib/policy/w-tinylfu.js'
import { hashOf, notPinned, TestNode } from './simulate.js'

/** A policy with entries that are named by letters. */
class Bench {
  readonly policy: Policy<TestNode>
  readonly #nodes = new Map<string, TestNode>()

  constructor(policy: PolicyName | Policy<TestNode>, capacity = 1000) {
    this.policy = typeof policy === 'string' ? createPolicy(policy, capacity, notPinned) : policy
  }

  node(letter: string): TestNode {
    const node =
      this.#nodes.get(letter) ?? new TestNode(letter.charCodeAt(0), 1, hashOf(letter.charCodeAt(0)))
    this.#nodes.set(letter, node)
    return node
  }

  add(letters: string, size = 1): this {
    for (const letter of letters) {
      const node = this.node(letter)
      node.size = size
      this.policy.add(node)
    }
    return this
  }

  touch(letters: string): this {
    for (const letter of letters) this.policy.touch(this.node(letter))
    return this
  }

  remove(letters: string): this {
    for (const letter of letters) this.policy.remove(this.node(letter))
    return this
  }

  pin(letters: string, pinned = true): this {
    for (const letter of letters) this.node(letter).pinned = pinned
    return this
  }

  /** The next victims, as many as asked for. */
  evict(count = Number.POSITIVE_INFINITY): string {
    let letters = ''
    while (letters.length < count) {
      const victim = this.policy.evict()
      if (victim === undefined) break
      letters += String.fromCharCode(victim.id)
    }
    return letters
  }
}

describe('LRU', () => {
  it('evicts in the order of last use', () => {
    expect(new Bench('lru').add('abcde').touch('bd').remove('c').evict()).toBe('aebd')
  })

  it('takes an entry that it passed over for one just used', () => {
    const bench = new Bench('lru').add('abcd').pin('a')
    expect(bench.evict(1)).toBe('b')
    bench.pin('a', false)
    expect(bench.evict()).toBe('cda')
  })
})

describe('FIFO', () => {
  it('evicts in the order of arrival', () => {
    expect(new Bench('fifo').add('abcde').touch('aab').remove('c').evict()).toBe('abde')
  })
})

describe('SIEVE', () => {
  it('leaves those that it spares where they are, and does not come back to them before the newest', () => {
    const bench = new Bench('sieve').add('GBEFADH').touch('ABG')
    expect(bench.evict(1)).toBe('E')
    expect(bench.add('I').evict(1)).toBe('F')
    // A is spared where it stands; D is next, though newer entries have come.
    expect(bench.add('J').evict(1)).toBe('D')
  })

  it('goes on with the next when the entry at its hand is removed', () => {
    const bench = new Bench('sieve').add('abcdef').touch('a')
    expect(bench.evict(1)).toBe('b')
    expect(bench.remove('c').evict(1)).toBe('d')
    expect(bench.remove('ef').evict()).toBe('a')
  })
})

describe('LFU', () => {
  it('evicts the rarest, and of these the one that has been so for longest', () => {
    expect(new Bench('lfu').add('abcde').touch('aacceb').evict()).toBe('debac')
  })

  it('forgets a frequency with its entry', () => {
    const bench = new Bench('lfu').add('ab').touch('aaab').remove('a').add('a')
    expect(bench.evict()).toBe('ab')
  })

  it('lets entries wait at their frequency when there is no bucket left', () => {
    const bench = new Bench(new Lfu<TestNode>(notPinned, takeAny, 2)).add('abc')
    bench.touch('a')
    // A third frequency finds no bucket while b is at 1 and a at 2, together with c.
    bench.touch('c').touch('c')
    expect(bench.policy.count).toBe(3)
    expect(bench.add('d').evict()).toBe('bdac')
  })

  it('has no more buckets than entries, whatever the frequencies were', () => {
    const bench = new Bench('lfu').add('abcd')
    for (let times = 0; times < 200; times += 1) bench.touch('abbcccdddd').remove('a').add('a')
    for (let times = 0; times < 100; times += 1)
      bench
        .add('x')
        .touch('x'.repeat(1000 - times))
        .remove('x')
    expect(bench.policy.memoryBytes).toBeLessThanOrEqual(6 * 128)
  })

  it('adds to the rarest there is when not even that has a bucket', () => {
    const bench = new Bench(new Lfu<TestNode>(notPinned, takeAny, 1)).add('ab').touch('b')
    expect(bench.remove('a').touch('b').add('c').evict()).toBe('bc')
  })
})

describe('S3-FIFO', () => {
  it('moves to the main queue what was used twice in the small one', () => {
    const bench = new Bench('s3-fifo', 100).add('abcd').touch('aab')
    expect(bench.evict(2)).toBe('bc')
    // a is in the main queue, where the small one no longer reaches it.
    expect(bench.add('efg').evict(4)).toBe('defg')
    expect(bench.evict()).toBe('a')
  })

  it('takes back into the main queue what it remembers', () => {
    const bench = new Bench('s3-fifo', 100).add('a')
    expect(bench.evict()).toBe('a')
    bench.add('ab')
    expect(bench.evict()).toBe('ba')
  })

  it('forgets in the order of eviction, beyond nine tenths of the capacity', () => {
    const bench = new Bench('s3-fifo', 10).add('abcdefghijkl')
    expect(bench.evict()).toBe('abcdefghijkl')
    // d is taken back; of the others nine are remembered, c and e to l.
    bench.add('db')
    expect(bench.evict(1)).toBe('b')
  })

  it('gives an entry of the main queue another round for each use, three at most', () => {
    const bench = new Bench('s3-fifo', 10).add('abc')
    bench.evict()
    bench.add('abc').touch('aaaaabb')
    expect(bench.evict()).toBe('cba')
  })

  it('takes from the main queue first when that has more than its share', () => {
    const bench = new Bench('s3-fifo', 10).add('abcdefghi')
    bench.evict()
    bench.add('abcdefghi').add('x')
    expect(bench.evict(1)).toBe('x')
    bench.add('x').add('y')
    // Ten in main, of nine: x was remembered.
    expect(bench.evict(1)).toBe('a')
  })
})

describe('W-TinyLFU', () => {
  it('lets nobody into the main area who is wanted less than who would have to go', () => {
    const bench = new Bench('w-tinylfu', 10).add('abcdefghij').touch('abcdefghij'.repeat(2))
    // Whoever comes pushes the one before out of the window. i and j are wanted as often as the oldest, k and l less.
    expect(bench.evict(1)).toBe('i')
    expect(bench.add('k').evict(1)).toBe('j')
    expect(bench.add('l').evict(1)).toBe('k')
    expect(bench.add('m').evict(1)).toBe('l')
  })

  it('counts uses of entries that are gone', () => {
    const bench = new Bench('w-tinylfu', 10).add('abcdefghij')
    bench.evict(1)
    // All in the main area were used once. So was k when it first comes, and goes; the second time it is preferred.
    bench.add('k').evict(1)
    expect(bench.add('1').evict(1)).toBe('k')
    expect(bench.add('k').evict(1)).toBe('1')
    expect(bench.add('2').evict(1)).toBe('a')
    expect(bench.evict()).toContain('k')
  })

  it('hands back to probation what the protected queue has too much', () => {
    // The window takes one, the protected queue seven. All of these pass the window unopposed, as nobody has to go.
    const bench = new Bench('w-tinylfu', 10).add('abcdefghi').touch('abcdefg').add('jk').touch('h').add('l')
    // k, as wanted as i, leaves the window; then those on probation: i, a, which h pushed back, and j.
    expect(bench.evict()).toBe('kiajbcdefghl')
  })

  it('does not empty the protected queue for an entry that does not fit it', () => {
    const bench = new Bench('w-tinylfu', 1000).add('ab', 20).touch('a')
    // z is too large for the protected queue, where a is.
    bench.add('z', 800).add('cd', 20).touch('z')
    expect(bench.evict()).toBe('dbcza')
  })

  it('makes an entry larger than the window the next candidate', () => {
    const bench = new Bench('w-tinylfu', 1000).add('abcdefgh', 1).add('z', 500)
    expect(bench.evict(1)).toBe('z')
  })

  it('keeps what its climber found when the capacity changes', () => {
    // The same sequence, with a change of the capacity and back in the middle: no difference.
    const order = (change: boolean): number[] => {
      const policy = new WTinyLfu<TestNode>(notPinned, 200)
      const victims: number[] = []
      const nodes = new Map<number, TestNode>()
      for (let at = 0; at < 60_000; at += 1) {
        if (change && at === 40_000) {
          policy.setCapacity(400)
          policy.setCapacity(200)
        }
        // Entries that are wanted four times in a row, which need a larger window, amid others that come back late.
        const id = at % 2 === 0 ? at >> 3 : 100_000 + ((at * 7919) % 1009)
        const node = nodes.get(id)
        if (node?.here) {
          policy.touch(node)
          continue
        }
        if (policy.count === 200) {
          const victim = policy.evict()!
          victim.here = false
          victims.push(victim.id)
        }
        const added = node ?? new TestNode(id, 1, hashOf(id))
        added.here = true
        nodes.set(id, added)
        policy.add(added)
      }
      return victims
    }
    expect(order(true)).toEqual(order(false))
  })
})

describe('what policies read of an entry', () => {
  it.each([
    ['lru', false],
    ['lfu', false],
    ['fifo', false],
    ['sieve', false],
    ['s3-fifo', true],
    ['w-tinylfu', true],
  ] as const)('%s reads the hash: %s', (name, reads) => {
    let read = false
    const policy = createPolicy<TestNode>(name, 100, notPinned)
    expect(policy.needsHash).toBe(reads)
    const nodes = [1, 2, 3].map((id) => {
      const node = new TestNode(id, 50, id)
      Object.defineProperty(node, 'hash', {
        get: () => {
          read = true
          return id
        },
      })
      return node
    })
    for (const node of nodes) policy.add(node)
    for (const node of nodes) policy.touch(node)
    while (policy.evict() !== undefined);
    expect(read).toBe(reads)
  })
})

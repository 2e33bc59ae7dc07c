/*
 * A policy of the user's own: whatever it does, the store goes on.
 */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type EvictionPolicy, PASS_LIMIT } from '../../../lib/policy/policy.js'
import { isEvictionPolicy, UserPolicy } from '../../../lib/policy/user.js'
import { TestNode } from './simulate.js'

/** A store of nodes that are named by letters, under a policy of the user's. */
class Bench {
  readonly nodes = new Map<string, TestNode>()
  readonly said: [string, unknown][] = []
  readonly policy: UserPolicy<TestNode>

  constructor(user: EvictionPolicy) {
    this.policy = new UserPolicy(user, {
      keyOf: (node) => String.fromCharCode(node.id),
      nodeOf: (key) => this.nodes.get(key),
      evictable: (node) => !node.pinned,
      onFault: (what, cause) => this.said.push([what, cause]),
    })
  }

  add(letters: string, size = 1): this {
    for (const letter of letters) {
      const node = new TestNode(letter.charCodeAt(0), size, 0)
      this.nodes.set(letter, node)
      this.policy.add(node)
    }
    return this
  }

  touch(letters: string): this {
    for (const letter of letters) this.policy.touch(this.nodes.get(letter)!)
    return this
  }

  remove(letters: string): this {
    for (const letter of letters) {
      const node = this.nodes.get(letter)!
      this.nodes.delete(letter)
      this.policy.remove(node)
    }
    return this
  }

  pin(letters: string, pinned = true): this {
    for (const letter of letters) this.nodes.get(letter)!.pinned = pinned
    return this
  }

  evict(count = Number.POSITIVE_INFINITY): string {
    let letters = ''
    while (letters.length < count) {
      const victim = this.policy.evict()
      if (victim === undefined) break
      const letter = String.fromCharCode(victim.id)
      this.nodes.delete(letter)
      letters += letter
    }
    return letters
  }
}

/** Most recently used, as a user would write it; it forgets what it names, or waits to be told. */
function mru(forgets: boolean): EvictionPolicy & { readonly keys: Set<string> } {
  const keys = new Set<string>()
  return {
    keys,
    add: (key) => keys.add(key),
    touch: (key) => {
      keys.delete(key)
      keys.add(key)
    },
    remove: (key) => keys.delete(key),
    evict: () => {
      const newest = [...keys].at(-1)
      if (newest === undefined) return []
      if (forgets) keys.delete(newest)
      return [newest]
    },
  }
}

/** A policy that does nothing but what is given. */
function policyWith(
  methods: Partial<Record<keyof EvictionPolicy, (...all: never[]) => unknown>>,
): EvictionPolicy {
  const nothing = (): unknown => []
  return { add: nothing, touch: nothing, remove: nothing, evict: nothing, ...methods } as EvictionPolicy
}

describe('policy of the user', () => {
  it.each([
    ['forgets what it names', true],
    ['waits to be told that it left', false],
  ])('decides, if it %s', (_how, forgets) => {
    const bench = new Bench(mru(forgets)).add('abcdef').touch('b').remove('e')
    expect(bench.evict()).toBe('bfdca')
    expect(bench.policy.faults).toBe(0)
  })

  it.each([true, false])(
    'is told of an entry that cannot go as removed and added again (forgets: %s)',
    (forgets) => {
      const user = mru(forgets)
      const bench = new Bench(user).add('abcd').pin('d')
      expect(bench.evict(1)).toBe('a')
      expect(bench.policy.faults).toBe(0)
      expect(user.keys).toEqual(new Set('bcd'))
      expect(bench.pin('d', false).evict()).toBe('dcb')
    },
  )

  it('is told keys and sizes, once each', () => {
    const heard: unknown[][] = []
    const user = policyWith({
      add: (key: string, size: number) => heard.push(['add', key, size]),
      touch: (key: string) => heard.push(['touch', key]),
      remove: (key: string) => heard.push(['remove', key]),
      evict: () => ['b'],
    })
    const bench = new Bench(user).add('ab', 10).touch('a')
    bench.policy.resize(bench.nodes.get('a')!, 12)
    const by = new TestNode('a'.charCodeAt(0), 20, 0)
    bench.policy.replace(bench.nodes.get('a')!, by)
    expect(bench.policy.bytes).toBe(30)
    expect(bench.evict(1)).toBe('b')
    expect(heard).toEqual([
      ['add', 'a', 10],
      ['add', 'b', 10],
      ['touch', 'a'],
      ['remove', 'a'],
      ['add', 'a', 12],
      ['remove', 'a'],
      ['add', 'a', 20],
      ['remove', 'b'],
    ])
  })

  it('may name several; those that have left meanwhile are left out, without a fault', () => {
    const answers = [['c', 'a', 'd', 'a'], ['b']]
    const bench = new Bench(policyWith({ evict: () => answers.shift() }))
    expect(bench.add('abcd').evict(1)).toBe('c')
    expect(bench.remove('a').evict()).toBe('db')
    expect(bench.policy.faults).toBe(0)
  })

  it('may name one key alone', () => {
    const keys = ['second', 'first']
    const nodes = new Map(keys.map((key, id) => [key, new TestNode(id, 1, 0)]))
    const policy = new UserPolicy<TestNode>(policyWith({ evict: () => 'first' }), {
      keyOf: (node) => keys[node.id]!,
      nodeOf: (key) => nodes.get(key),
      evictable: () => true,
      onFault: (what) => expect.unreachable(what),
    })
    for (const node of nodes.values()) policy.add(node)
    expect(policy.evict()).toBe(nodes.get('first'))
  })

  it.each([
    [
      'throws',
      () => {
        throw new RangeError('mine')
      },
      'evict() threw',
    ],
    ['gives nothing', () => undefined, 'evict() gave no list of keys'],
    ['gives no key', () => [], 'evict() gave no key'],
    ['gives a promise', () => Promise.resolve(['c']), 'evict() gave no list of keys'],
    ['gives a promise that rejects', () => Promise.reject(new Error('mine')), 'evict() gave no list of keys'],
    ['gives a number', () => 7, 'evict() gave no list of keys'],
    ['gives a key that was never added', () => ['x'], 'evict() gave a key that is not in the store: "x"'],
    [
      'gives what is no key',
      () => [{}],
      'evict() gave a key that is not in the store: an object without members of its own',
    ],
    [
      'gives a list that throws',
      () =>
        new Proxy([], {
          get: () => {
            throw new Error('mine')
          },
        }),
      'evict() threw',
    ],
    [
      'gives unknown keys without end',
      function* () {
        for (;;) yield 'x'
      },
      'evict() gave a key that is not in the store: "x"',
    ],
  ] as ReadonlyArray<readonly [string, () => unknown, string]>)(
    'is overruled where evict %s',
    async (_how, evict, what) => {
      const bench = new Bench(policyWith({ evict }))
      expect(bench.add('abc').touch('a').evict(2)).toBe('ab')
      expect(bench.said.map(([said]) => said)).toEqual([what])
      expect(bench.policy.faults).toBeGreaterThanOrEqual(2)
      // A rejection would surface in a later turn.
      await new Promise((resolve) => setImmediate(resolve))
      expect(bench.evict()).toBe('c')
    },
  )

  it('takes the good keys of an answer that has bad ones', () => {
    const bench = new Bench(policyWith({ evict: () => ['x', 'b'] })).add('abc')
    expect(bench.evict(1)).toBe('b')
    expect(bench.policy.faults).toBe(1)
  })

  it('is no danger where it throws or rejects when told something', async () => {
    const cause = new Error('mine')
    const throwing = new Bench(
      policyWith({
        add: () => {
          throw cause
        },
        touch: () => {
          throw cause
        },
        remove: () => {
          throw cause
        },
        evict: () => ['a'],
      }),
    )
    throwing.add('ab').touch('ab').remove('b')
    expect(throwing.policy.faults).toBe(5)
    expect(throwing.said).toEqual([['add() threw', cause]])
    expect(throwing.evict()).toBe('a')

    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const rejecting = new Bench(policyWith({ touch: () => Promise.reject(cause) }))
    rejecting.add('a').touch('aa')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(rejecting.said).toEqual([['touch() rejected', cause]])
    expect(rejecting.policy.faults).toBe(2)
  })

  it('is overruled, without a fault, where it insists on what cannot go', () => {
    const letters = Array.from({ length: PASS_LIMIT + 10 }, (_, at) => String.fromCharCode(1000 + at)).join(
      '',
    )
    const user = mru(false)
    const evict = vi.spyOn(user, 'evict')
    const bench = new Bench(user).add(letters).pin(letters)
    expect(bench.policy.evict()).toBeUndefined()
    expect(evict).toHaveBeenCalledTimes(2)
    bench.pin(letters[3]!, false)
    expect([bench.policy.evict(), bench.policy.evict()]).toContain(bench.nodes.get(letters[3]!))
    expect(bench.policy.count).toBe(letters.length - 1)
    expect(bench.policy.faults).toBe(0)
  })

  it('keeps count, weighs and gives each entry once, whatever it answers', () => {
    const key = fc.constantFrom(...'abcdefghxyz')
    const step = fc.oneof(
      fc.record({ call: fc.constantFrom('add', 'touch', 'remove', 'pin'), key }),
      fc.record({
        call: fc.constant('evict'),
        answer: fc.option(fc.array(key, { maxLength: 4 }), { nil: undefined }),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let answer: string[] | undefined
        const bench = new Bench(policyWith({ evict: () => answer }))
        for (const at of steps) {
          if ('answer' in at) {
            answer = at.answer
            const victim = bench.policy.evict()
            if (victim === undefined)
              expect([...bench.nodes.values()].filter((node) => !node.pinned)).toEqual([])
            else expect(bench.nodes.get(String.fromCharCode(victim.id))).toBe(victim)
            expect(victim?.pinned).not.toBe(true)
            if (victim !== undefined) bench.nodes.delete(String.fromCharCode(victim.id))
          } else if (at.call === 'add' && !bench.nodes.has(at.key)) bench.add(at.key, 3)
          else if (at.call !== 'add' && bench.nodes.has(at.key)) {
            if (at.call === 'touch') bench.touch(at.key)
            else if (at.call === 'remove') bench.remove(at.key)
            else bench.pin(at.key)
          }
          expect(bench.policy.count).toBe(bench.nodes.size)
          expect(bench.policy.bytes).toBe(3 * bench.nodes.size)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('isEvictionPolicy', () => {
  it.each([
    [mru(true), true],
    [policyWith({}), true],
    [{ ...policyWith({}), evict: undefined }, false],
    ['lru', false],
    [null, false],
    [undefined, false],
    [() => {}, false],
  ])('of %o', (value, is) => {
    expect(isEvictionPolicy(value)).toBe(is)
  })

  it('takes methods of a class', () => {
    class Mine implements EvictionPolicy {
      add(): void {}
      touch(): void {}
      remove(): void {}
      evict(): string[] {
        return []
      }
    }
    expect(isEvictionPolicy(new Mine())).toBe(true)
  })
})

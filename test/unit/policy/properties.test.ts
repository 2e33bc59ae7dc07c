/*
 * What holds for every policy after any sequence of calls.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPolicy } from '../../../lib/policy/create.js'
import { PASS_LIMIT, POLICY_NAMES, type Policy } from '../../../lib/policy/policy.js'
import { CALL, hashOf, notPinned, perform, TestNode } from './simulate.js'

const CAPACITY = 10_000
/**
 * The most that a policy may hold beside its nodes at that capacity: an empty ghost, sketch or list of
 * buckets costs something, too.
 */
const LEAST_MEMORY = 8192

function nodes(count: number, size: (id: number) => number, hash = hashOf): TestNode[] {
  return Array.from({ length: count }, (_, id) => new TestNode(id, size(id), hash(id)))
}

function sum(live: Iterable<TestNode>): number {
  let bytes = 0
  for (const node of live) if (node.here) bytes += node.size
  return bytes
}

/** All that the policy has, coldest first. */
function drained(policy: Policy<TestNode>): TestNode[] {
  const order: TestNode[] = []
  for (let node = policy.evict(true); node !== undefined; node = policy.evict(true)) order.push(node)
  return order
}

/** Calls as the driver takes them; ids are few, so that they meet. */
const calls = fc
  .array(
    fc.tuple(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(CALL.add, CALL.touch) },
        { weight: 4, arbitrary: fc.constant(CALL.evict) },
        { weight: 2, arbitrary: fc.constantFrom(CALL.remove, CALL.resize, CALL.pin) },
        { weight: 1, arbitrary: fc.constantFrom(CALL.setCapacity, CALL.drain) },
      ),
      fc.nat(40),
      fc.oneof(fc.constantFrom(0, 1, CAPACITY), fc.nat(CAPACITY)),
    ),
    { maxLength: 400 },
  )
  .map((triples) => Uint32Array.from(triples.flat()))

describe.each(POLICY_NAMES)('%s, whatever is asked of it', (name) => {
  it('counts, weighs and has each entry once; its victims are entries that it has and that can go', () => {
    fc.assert(
      fc.property(calls, (sequence) => {
        const policy = createPolicy<TestNode>(name, CAPACITY, notPinned)
        const all = new Map<number, TestNode>()
        let live = 0
        perform(sequence, policy, all, (victim, call) => {
          const here = [...all.values()].filter((node) => node.here)
          if (call === CALL.evict || call === CALL.drain) {
            // One less than before, if there was one to go; nobody may wait behind so few that are pinned.
            const pinnedToo = call === CALL.drain
            expect(here.length).toBe(victim === undefined ? live : live - 1)
            expect(victim === undefined || pinnedToo || !victim.pinned).toBe(true)
            if (victim === undefined) expect(here.filter((node) => pinnedToo || !node.pinned)).toEqual([])
          }
          live = here.length
          expect(policy.count).toBe(live)
          expect(policy.bytes).toBe(sum(all.values()))
          expect(policy.memoryBytes).toBeLessThanOrEqual(LEAST_MEMORY)
        })
        const left = drained(policy)
        expect(left.length).toBe(live)
        expect(new Set(left)).toEqual(new Set([...all.values()].filter((node) => node.here)))
        expect(policy.count).toBe(0)
        expect(policy.bytes).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('takes what replaces an entry as the same entry, used once more', () => {
    fc.assert(
      fc.property(calls, fc.array(fc.nat(40), { maxLength: 40 }), (sequence, overwritten) => {
        const afterCalls = (): { all: Map<number, TestNode>; policy: Policy<TestNode> } => {
          const all = new Map<number, TestNode>()
          const policy = createPolicy<TestNode>(name, CAPACITY, notPinned)
          perform(sequence, policy, all)
          return { all, policy }
        }
        const touched = afterCalls()
        const replaced = afterCalls()
        for (const id of overwritten) {
          const node = touched.all.get(id)
          const before = replaced.all.get(id)
          if (!node?.here || !before) continue
          touched.policy.resize(node, id)
          touched.policy.touch(node)
          const by = new TestNode(id, id, before.hash)
          by.here = true
          replaced.policy.replace(before, by)
          replaced.all.set(id, by)
        }
        expect(replaced.policy.bytes).toBe(touched.policy.bytes)
        const order = (policy: Policy<TestNode>): number[] => drained(policy).map((node) => node.id)
        expect(order(replaced.policy)).toEqual(order(touched.policy))
      }),
      { numRuns: 80 },
    )
  })

  it('never gives an entry that is pinned, and gives the one behind many that are', () => {
    const policy = createPolicy<TestNode>(name, 2000, notPinned)
    const all = nodes(1001, () => 1)
    for (const node of all) {
      node.pinned = node.id !== 1000
      policy.add(node)
    }
    let calledInVain = 0
    let victim = policy.evict()
    while (victim === undefined && calledInVain < 10) {
      calledInVain += 1
      victim = policy.evict()
    }
    expect(victim?.id).toBe(1000)
    expect(calledInVain).toBeLessThanOrEqual(Math.ceil(1000 / PASS_LIMIT))
    expect(policy.evict()).toBeUndefined()
    expect(policy.count).toBe(1000)
    expect(drained(policy).length).toBe(1000)
  })

  it('is none the worse for entries of no size, of all the capacity, and of more', () => {
    const policy = createPolicy<TestNode>(name, CAPACITY, notPinned)
    const all = nodes(300, (id) => [0, CAPACITY, 1, 3 * CAPACITY][id % 4]!)
    for (const node of all) {
      policy.add(node)
      if (node.id % 3 === 0) policy.touch(node)
    }
    for (let times = 0; times < 100; times += 1) expect(policy.evict()).toBeDefined()
    expect(drained(policy).length).toBe(200)
    expect(policy.bytes).toBe(0)
  })

  it('works with one hash for all', () => {
    const policy = createPolicy<TestNode>(name, 100, notPinned)
    const all = nodes(
      3000,
      () => 1,
      () => 7,
    )
    let live = 0
    for (const node of all) {
      if (live === 100) {
        expect(policy.evict()).toBeDefined()
        live -= 1
      }
      policy.add(node)
      live += 1
      if (node.id % 5 === 0) policy.touch(node)
    }
    expect(policy.count).toBe(100)
    expect(policy.memoryBytes).toBeLessThanOrEqual(LEAST_MEMORY)
  })

  it('remembers no more than it says, however much goes through', () => {
    const capacity = 2 ** 20
    const policy = createPolicy<TestNode>(name, capacity, notPinned)
    // Entries of one byte: far more of them than a memory of 1 % has room for.
    for (let id = 0; id < 60_000; id += 1) {
      if (policy.count >= 20_000) policy.evict()
      policy.add(new TestNode(id, 1, hashOf(id)))
    }
    expect(policy.memoryBytes).toBeLessThanOrEqual(Math.max(LEAST_MEMORY, capacity / 100))
  })

  it('holds no memory that it was not given, and does its work without', () => {
    fc.assert(
      fc.property(fc.nat(20_000), calls, (given, sequence) => {
        let left = given
        const policy = createPolicy<TestNode>(name, 10 * CAPACITY, notPinned, (bytes) => {
          expect(bytes).toBeGreaterThan(0)
          if (bytes > left) return false
          left -= bytes
          return true
        })
        const before = policy.memoryBytes
        const all = new Map<number, TestNode>()
        const withoutChanges = sequence.map((word, at) =>
          at % 3 === 0 && word === CALL.setCapacity ? CALL.evict : word,
        )
        perform(withoutChanges, policy, all, () => {
          expect(policy.memoryBytes).toBe(before + given - left)
          expect(policy.count).toBe([...all.values()].filter((node) => node.here).length)
          expect(policy.bytes).toBe(sum(all.values()))
        })
      }),
      { numRuns: 60 },
    )
  })

  it('follows a capacity that shrinks', () => {
    const policy = createPolicy<TestNode>(name, 100_000, notPinned)
    const all = nodes(2000, () => 50)
    for (const node of all) {
      policy.add(node)
      if (node.id % 2 === 0) policy.touch(node)
    }
    for (const capacity of [50_000, 5000, 100, 1, 0]) {
      policy.setCapacity(capacity)
      while (policy.bytes > capacity) expect(policy.evict()).toBeDefined()
    }
    expect(policy.count).toBe(0)
    policy.setCapacity(100_000)
    policy.add(all[0]!)
    expect(policy.evict()).toBe(all[0])
  })
})

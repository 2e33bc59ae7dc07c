import type { EvictionPolicy } from '../policy/policy.js'
import { jsMemoryStore } from '../store/memory/js.js'
import { fails, holds, same } from './check.js'
import { randomOf } from './random.js'
import { HOSTILE_KEYS } from './store/keys.js'
import { bytesOf, put } from './store/kit.js'
import { type Case, caseOf, type Suite } from './suite.js'

/** Calls of a random history, and histories. */
const CALLS = 400
const HISTORIES = 20
const MiB = 2 ** 20

/**
 * What every policy must do: P1 to P6 of the `EvictionPolicy` contract.
 *
 * @param make gives a new policy that knows of nothing
 */
export function policySuite(make: () => EvictionPolicy): Suite {
  const check = (rule: string, what: string, run: (told: Told) => void): Case =>
    caseOf(rule, what, () => run(new Told(make())))
  return [
    check('P1', 'evict names keys that are there: the only one, one of many, after each is added', (told) => {
      for (let at = 0; at < 50; at += 1) {
        told.add(`k${at}`, 100)
        told.evict()
        told.touch(`k${at}`)
        told.evict()
      }
    }),
    check('P1', 'of any key and size', (told) => {
      for (const [at, key] of HOSTILE_KEYS.entries()) told.add(key, 2 ** at)
      while (told.keys.size > 0) told.remove(told.evict()[0]!)
    }),
    check('P2', 'what has left is not named, and may come again', (told) => {
      for (let at = 0; at < 20; at += 1) told.add(`k${at}`, 100)
      for (let at = 0; at < 20; at += 2) told.remove(`k${at}`)
      told.evict()
      for (let at = 0; at < 20; at += 4) told.add(`k${at}`, 200)
      while (told.keys.size > 0) told.remove(told.evict()[0]!)
      told.add('k0', 100)
      same(told.evict(), ['k0'], 'what evict names when k0 is all there is')
    }),
    check('P2', 'what was overwritten is there once', (told) => {
      told.add('a', 100)
      told.add('b', 100)
      told.remove('a')
      told.add('a', 300)
      told.remove('a')
      same(told.evict(), ['b'], 'what evict names when b is all there is')
    }),
    check('P3', 'everything is named before long, so that a store can be emptied', (told) => {
      for (let at = 0; at < 200; at += 1) told.add(`k${at}`, 100)
      for (let at = 0; at < 200; at += 3) told.touch(`k${at}`)
      for (let left = 200; left > 0; left -= 1) told.remove(told.evict()[0]!)
      same(told.keys.size, 0, 'how many are left after as many evictions as there were')
    }),
    check(
      'P4',
      'what is named is there until it is removed, and named again where it could not go',
      (told) => {
        for (let at = 0; at < 10; at += 1) told.add(`k${at}`, 100)
        for (let round = 0; round < 30; round += 1) {
          // As the store does with an entry that is being read.
          const [victim] = told.evict()
          told.remove(victim!)
          told.add(victim!, 100)
        }
        // And a victim that nobody removed for the time being is touched.
        const [victim] = told.evict()
        told.touch(victim!)
        told.evict()
        while (told.keys.size > 0) told.remove(told.evict()[0]!)
      },
    ),
    check('P5', 'the methods answer at once', (told) => {
      told.add('a', 100)
      for (const _ of [1, 2, 3]) told.touch('a')
      told.evict()
      told.remove('a')
      for (const [method, answer] of told.answers) {
        holds(!isPromise(answer), `what ${method}() gives`, 'no promise', answer)
      }
    }),
    caseOf('P6', 'in any order of calls', () => {
      for (let seed = 1; seed <= HISTORIES; seed += 1) history(new Told(make()), seed)
    }),
    caseOf('store', 'a memory store that it decides for finds no fault with it', async () => {
      const policy = make()
      const store = jsMemoryStore(
        { maxBytes: MiB, maxItemBytes: MiB, maxItemFollows: false, policy, name: undefined },
        undefined,
      )
      await store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => true })
      try {
        const random = randomOf(7)
        for (let at = 0; at < 600; at += 1) {
          const key = `k${random.below(120)}`
          if (at % 7 === 0) await store.delete(key)
          else if (at % 3 === 0) (await store.find(key))?.release()
          else await put(store, key, bytesOf(random.below(60_000), at))
          same(store.stats().policyFaults, 0, `policyFaults after ${at + 1} calls`)
          holds(store.stats().bytes <= MiB, 'stats().bytes', `at most ${MiB}`, store.stats().bytes)
        }
        holds(store.stats().evictions > 0, 'evictions', 'more than 0', store.stats().evictions)
      } finally {
        await store.close()
      }
    }),
  ]
}

/** A history of calls as a store makes them. */
function history(told: Told, seed: number): void {
  const random = randomOf(seed)
  for (let call = 0; call < CALLS; call += 1) {
    const there = [...told.keys]
    switch (there.length === 0 ? 0 : random.below(6)) {
      case 0:
      case 1: {
        const key = `k${random.below(40)}`
        if (told.keys.has(key)) told.remove(key)
        told.add(key, 1 + random.below(100_000))
        break
      }
      case 2:
      case 3:
        told.touch(random.pick(there))
        break
      case 4:
        told.remove(random.pick(there))
        break
      default:
        for (const key of told.evict()) told.remove(key)
    }
  }
  while (told.keys.size > 0) told.remove(told.evict()[0]!)
}

/** A policy that is called as a store calls it, and what it knows of. */
class Told {
  readonly #policy: EvictionPolicy
  readonly keys = new Set<string>()
  readonly answers: Array<readonly [string, unknown]> = []

  constructor(policy: EvictionPolicy) {
    this.#policy = policy
  }

  add(key: string, size: number): void {
    this.keys.add(key)
    this.answers.push(['add', this.#policy.add(key, size)])
  }

  touch(key: string): void {
    this.answers.push(['touch', this.#policy.touch(key)])
  }

  remove(key: string): void {
    this.keys.delete(key)
    this.answers.push(['remove', this.#policy.remove(key)])
  }

  /** Asks for what should leave, of which there must be some; each must be there, and none twice. */
  evict(): string[] {
    const answer: unknown = this.#policy.evict()
    this.answers.push(['evict', answer])
    // Whether it may be one is a case of its own.
    if (isPromise(answer)) return [...this.keys].slice(0, 1)
    if (typeof answer !== 'object' || answer === null || !(Symbol.iterator in answer)) {
      fails('what evict() gives', 'a list of keys', answer)
    }
    const named: string[] = []
    for (const key of answer as Iterable<unknown>) {
      holds(this.keys.has(key as string), 'a key that evict() names', 'one that is there', key)
      named.push(key as string)
      // An iterable need not have an end; a store takes as many as it has entries.
      if (named.length === this.keys.size) break
    }
    holds(named.length > 0, `what evict() names of ${this.keys.size} keys`, 'at least one', named)
    same(new Set(named).size, named.length, 'how many different keys evict() names, beside how many')
    return named
  }
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value
}

import { types } from 'node:util'
import { showValue } from '../config/validate.js'
import { Pins } from './pins.js'
import type { EvictionPolicy, Policy, PolicyNode } from './policy.js'
import { Queue } from './queue.js'

const GONE = 0
const HERE = 1

/** What a store gives to have a user's policy decide. */
export interface UserPolicyHost<N> {
  keyOf(node: N): string
  /** The entry of that key, if the store has one. */
  nodeOf(key: string): N | undefined
  /** Whether the entry can go now. */
  evictable(node: N): boolean
  /**
   * Called at the first fault of the policy only: what it did, in words, and what it threw. Must not throw.
   */
  onFault(what: string, cause: unknown): void
}

/** What a store says that is changed from within a policy. */
export const FROM_WITHIN = 'configure: called from within your own policy; want a call of its own, later'

/** Says a fault of the user's policy as a warning of the process, for who has no better place. */
export function sayPolicyFault(what: string, cause: unknown): void {
  const why = cause === undefined ? '' : `: ${showCause(cause)}`
  process.emitWarning(
    `memoryStore.policy: ${what}${why}. The entry that came first goes instead; further faults are counted in policyFaults of the store's stats and not said`,
    { code: 'DREY_POLICY' },
  )
}

/** Whether `value` has what a policy of the user's own needs. */
export function isEvictionPolicy(value: unknown): value is EvictionPolicy {
  if (typeof value !== 'object' || value === null) return false
  const { add, touch, remove, evict } = value as Partial<Record<keyof EvictionPolicy, unknown>>
  return [add, touch, remove, evict].every((method) => typeof method === 'function')
}

/**
 * A policy of the user's own, in the form that the store calls.
 *
 * Whatever it does, the store can go on: all entries are in a FIFO queue as well, and where the policy
 * throws, names keys that are not there, or names none, the oldest entry goes. Each time is counted in
 * `faults`; the first is said.
 *
 * Where it calls the store while it is called itself, it is not told of what that changes: it could go on so for
 * ever. That is a fault, too. The store asks `running` and does no more than remove and read meanwhile.
 *
 * Invariants: `#queue` holds the entries that are HERE, in the order in which they came; `#named` from `#at`
 * on are those that the policy wanted to go when it was last asked, of which some may be GONE since.
 */
export class UserPolicy<N extends PolicyNode<N>> implements Policy<N> {
  readonly needsHash = false
  /** Nobody can tell what a user's policy holds. */
  readonly memoryBytes = 0
  readonly #user: EvictionPolicy
  readonly #host: UserPolicyHost<N>
  readonly #pins: Pins<N>
  readonly #queue = new Queue<N>()
  #named: N[] = []
  #at = 0
  #faults = 0
  #running = false

  constructor(user: EvictionPolicy, host: UserPolicyHost<N>) {
    this.#user = user
    this.#host = host
    this.#pins = new Pins((node) => host.evictable(node))
  }

  get count(): number {
    return this.#queue.count
  }

  get bytes(): number {
    return this.#queue.bytes
  }

  /** How often the policy threw or did not answer as it must. */
  get faults(): number {
    return this.#faults
  }

  /** Whether a method of the policy is running. */
  get running(): boolean {
    return this.#running
  }

  add(node: N): void {
    node.mark = HERE
    this.#queue.add(node)
    this.#tell('add', node)
  }

  touch(node: N): void {
    this.#tell('touch', node)
  }

  /** Does nothing to an entry that left while the policy was told that it leaves. */
  remove(node: N): void {
    if (node.mark === GONE) return
    node.mark = GONE
    this.#queue.remove(node)
    this.#tell('remove', node)
  }

  replace(node: N, by: N): void {
    if (node.mark === GONE) {
      this.add(by)
      return
    }
    node.mark = GONE
    by.mark = HERE
    this.#queue.substitute(node, by)
    this.#tell('remove', node)
    if (by.mark === HERE) this.#tell('add', by)
  }

  /** An entry whose size changes is, to the user's policy, another one of the same key. */
  resize(node: N, size: number): void {
    if (node.mark === GONE) {
      node.size = size
      return
    }
    this.#queue.resize(node, size)
    this.#tell('remove', node)
    if (node.mark === HERE) this.#tell('add', node)
  }

  evict(pinnedToo = false): N | undefined {
    if (this.#queue.count === 0) return undefined
    this.#pins.begin(pinnedToo)
    let victim = this.#chosen()
    if (victim === undefined) {
      this.#pins.begin(pinnedToo)
      victim = this.#pins.oldestOf(this.#queue)
    }
    if (victim !== undefined) this.remove(victim)
    return victim
  }

  setCapacity(_bytes: number): void {
    // The policy is told sizes, never a capacity: it is asked whenever one entry must go.
  }

  /**
   * The next entry that the policy wants to go and that can. It is asked again when what it named cannot go,
   * until it names an entry the second time, as one that evicts the newest would without end.
   */
  #chosen(): N | undefined {
    let passedOver: Set<N> | undefined
    do {
      while (this.#at < this.#named.length) {
        const node = this.#named[this.#at]!
        this.#at += 1
        if (node.mark === GONE) continue
        if (this.#pins.release(node)) return node
        // Some policies forget what they name, others name it until it is gone: this serves both.
        this.#tell('remove', node)
        if (node.mark === HERE) this.#tell('add', node)
        if (this.#pins.exhausted || passedOver?.has(node)) return undefined
        passedOver ??= new Set()
        passedOver.add(node)
      }
    } while (this.#ask())
    return undefined
  }

  /** Asks for the next keys. False when there was none that is here. */
  #ask(): boolean {
    this.#named = []
    this.#at = 0
    this.#running = true
    try {
      const answer: unknown = this.#user.evict()
      // One key alone is a likely slip; taken as an iterable it would be its letters.
      const keys = typeof answer === 'string' ? [answer] : answer
      if (isIterable(keys)) this.#takeNamed(keys)
      else this.#fault('evict() gave no list of keys', undefined)
      this.#settle('evict', answer)
    } catch (cause) {
      this.#fault('evict() threw', cause)
    } finally {
      this.#running = false
    }
    return this.#named.length > 0
  }

  #takeNamed(keys: Iterable<unknown>): void {
    let left = this.#queue.count
    for (const key of keys) {
      const node = this.#host.nodeOf(key as string)
      if (node?.mark === HERE) this.#named.push(node)
      else {
        this.#fault(`evict() gave a key that is not in the store: ${showValue(key)}`, undefined)
        this.#settle('evict', key)
      }
      left -= 1
      // An iterable need not have an end.
      if (left <= 0) return
    }
    if (left === this.#queue.count) this.#fault('evict() gave no key', undefined)
  }

  #tell(method: 'add' | 'touch' | 'remove', node: N): void {
    if (this.#running) {
      this.#fault('a method of it called the store', undefined)
      return
    }
    this.#running = true
    try {
      const key = this.#host.keyOf(node)
      this.#settle(method, method === 'add' ? this.#user.add(key, node.size) : this.#user[method](key))
    } catch (cause) {
      this.#fault(`${method}() threw`, cause)
    } finally {
      this.#running = false
    }
  }

  /**
   * The methods should give their answer at once; one that is async must not take the process down either.
   */
  #settle(method: keyof EvictionPolicy, result: unknown): void {
    if (!types.isPromise(result)) return
    // Not by its own `then`, which may be anything.
    Promise.prototype.then.call(result, undefined, (cause) => this.#fault(`${method}() rejected`, cause))
  }

  #fault(what: string, cause: unknown): void {
    this.#faults += 1
    if (this.#faults === 1) this.#host.onFault(what, cause)
  }
}

function showCause(cause: unknown): string {
  try {
    return types.isNativeError(cause) ? `${cause.name}: ${cause.message}`.slice(0, 200) : showValue(cause)
  } catch {
    // It is the user's, and whatever it has for names may throw: the warning must not.
    return 'an error that cannot be shown'
  }
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

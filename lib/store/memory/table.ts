import { ConfigError } from '../../errors.js'
import { createPolicy } from '../../policy/create.js'
import type { EvictionPolicy, Policy, PolicyName } from '../../policy/policy.js'
import { FROM_WITHIN, sayPolicyFault, UserPolicy } from '../../policy/user.js'
import { drain, victimOf } from '../../policy/victim.js'
import type { EvictReason, Metadata } from '../store.js'
import { deadlineOf, type Entry, headBytesOf, ownKey } from './entry.js'
import { KeyHash } from './key-hash.js'
import { Ledger } from './ledger.js'
import { Wheel } from './wheel.js'

/** What a table is made with. */
export interface TableHost {
  readonly maxBytes: number
  readonly maxHeads: number
  readonly policy: PolicyName | EvictionPolicy
  /** Epoch milliseconds now. */
  now(): number
  onEvict(key: string, reason: EvictReason): void
}

/** The smallest bound of a memory store. */
const LEAST_BYTES = 2 ** 20

const evictable = (entry: Entry): boolean => entry.holds === 0

/**
 * The entries of a memory store, and the room that they and the drafts share.
 *
 * Invariants: `#entries` and `#policy` hold the same entries, each owned as an entry in the ledger; `#wheel` has those
 * of them that have a deadline, but for expired ones that were found while they were held. Keys that left are reported
 * once, after the change that they made room for is made, so that a callback which calls the store finds it whole.
 *
 * The policy may be a user's, and call back. So it is called last in every change, when the table is whole; and while
 * it runs nothing is added and no room is made: only removing and reading are done.
 */
export class EntryTable {
  readonly ledger: Ledger
  evictions = 0
  expirations = 0
  readonly #host: TableHost
  readonly #entries = new Map<string, Entry>()
  readonly #wheel = new Wheel<Entry>(deadlineOf)
  readonly #keyHash = new KeyHash()
  #maxBytes: number
  /** The part of `#maxBytes` that is to be used. */
  #factor = 1
  #choice: PolicyName | EvictionPolicy
  #policy: Policy<Entry>
  /** Faults of policies that were replaced. */
  #faults = 0
  #left: Array<readonly [key: string, reason: EvictReason]> = []
  #reporting = false
  /** What the policy asked for last in vain. */
  #wanted = 0
  /** Keys that came into the Map so far. */
  #slots = 0

  constructor(host: TableHost) {
    this.ledger = new Ledger(host.maxBytes, host.maxHeads)
    this.#host = host
    this.#maxBytes = host.maxBytes
    this.#choice = host.policy
    this.#policy = this.#makePolicy(host.policy)
    this.ledger.policyBytes = this.#policy.memoryBytes
  }

  get size(): number {
    return this.#entries.size
  }

  /** How often policies of the user's own did not do as they must. */
  get policyFaults(): number {
    return this.#faults + (this.#policy instanceof UserPolicy ? this.#policy.faults : 0)
  }

  find(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  touch(entry: Entry): void {
    this.#policy.touch(entry)
  }

  /** Makes the draft the entry of its key, with `metadata`; false when there is no room for them. */
  publish(draft: Entry, metadata: Metadata): boolean {
    const { ledger } = this
    if (draft.holds === 0) ledger.charge(draft, -draft.value.compact())
    const more = headBytesOf(draft.key, metadata) - draft.headBytes
    if (!this.makeRoom(more, more) || draft.owner !== 'draft') return false
    ledger.chargeHead(draft, more)
    const before = this.#entries.get(draft.key)
    if (before === undefined) {
      this.#slots += 1
      draft.slot = this.#slots
      draft.key = ownKey(draft.key)
      if (this.#policy.needsHash) draft.hash = this.#keyHash.of(draft.key)
    } else {
      // Overwriting keeps the key's place in the Map, so that a scan does not meet it twice.
      draft.slot = before.slot
      draft.key = before.key
      draft.hash = before.hash
      this.#wheel.remove(before)
      ledger.drop(before)
    }
    draft.metadata = metadata
    this.#entries.set(draft.key, draft)
    ledger.commit(draft)
    this.#expect(draft)
    if (before === undefined) this.#policy.add(draft)
    else this.#policy.replace(before, draft)
    return true
  }

  /** Replaces the metadata of an entry of the table; false when there is no room for them. */
  revise(entry: Entry, metadata: Metadata): boolean {
    const { ledger } = this
    const more = headBytesOf(entry.key, metadata) - entry.headBytes
    // Held, so that making room for a longer head does not evict the entry itself.
    ledger.hold(entry)
    const ok = this.makeRoom(more, more) && entry.owner === 'entry'
    if (ok) {
      this.#wheel.remove(entry)
      entry.metadata = metadata
      this.#expect(entry)
      ledger.rechargeHead(entry, more)
      this.#resize(entry, more)
    }
    this.release(entry)
    return ok
  }

  remove(entry: Entry): void {
    this.#disown(entry)
    this.#policy.remove(entry)
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.remove(entry)
  }

  /** Ends one hold of the ledger; the last one gives back what was kept only for readers. */
  release(entry: Entry): void {
    const { ledger } = this
    ledger.release(entry)
    if (entry.holds > 0 || entry.owner !== 'entry') return
    const less = entry.value.compact()
    ledger.recharge(entry, -less)
    this.#resize(entry, -less)
    // It may have been found expired while it was held; or the bound was lowered below what was pinned.
    if (entry.owner === 'entry' && entry.later === undefined) this.#expect(entry)
    if (ledger.total > ledger.maxBytes && !this.#userRuns) {
      this.#shrink()
      this.report()
    }
  }

  /** Keys and metadata of the keys that are there when the scan begins: one that follows keys set meanwhile might never end. */
  *scan(): Generator<readonly [string, Metadata], void, undefined> {
    const last = this.#slots
    for (const [key, entry] of this.#entries) {
      if (entry.slot > last) return
      yield [key, entry.metadata!]
    }
  }

  /**
   * Evicts until `bytes` more fit, of which `headBytes` lie on the JS heap: what has expired first, then what the policy
   * wants to go. False when they cannot.
   */
  makeRoom(bytes: number, headBytes: number): boolean {
    const { ledger } = this
    if (this.#userRuns || !ledger.couldFit(bytes)) return false
    const wanted = ledger.couldFit(bytes + this.#wanted) ? this.#wanted : 0
    while (!ledger.fits(bytes + wanted, headBytes)) {
      if (!this.#expireOne() && !this.#evictOne()) return false
    }
    return true
  }

  /** The bound, of which `press` may leave a part unused. */
  get maxBytes(): number {
    return this.#maxBytes
  }

  /** @throws `ERR_DREY_CONFIG` while the user's policy is running */
  assertQuiet(): void {
    if (this.#userRuns) throw new ConfigError(FROM_WITHIN)
  }

  /** A step of a bound that goes down bit by bit: evicts, but for what only `configure` does when it is there. */
  lower(maxBytes: number): void {
    this.#maxBytes = maxBytes
    // What `press` has not come down to yet is not evicted for this.
    this.ledger.maxBytes = Math.min(this.ledger.maxBytes, maxBytes)
    this.#shrink()
    this.report()
  }

  /** As the store's `configure`, of what is checked already. */
  configure(maxBytes: number, choice: PolicyName | EvictionPolicy): void {
    this.assertQuiet()
    this.#maxBytes = maxBytes
    this.ledger.maxBytes = this.#bound
    this.#policy.setCapacity(this.#bound)
    // A history that was for a larger store may have become shorter.
    this.ledger.policyBytes = this.#policy.memoryBytes
    // The old policy decides what a smaller store keeps: the new one knows nothing yet.
    this.#shrink()
    if (choice !== this.#choice) {
      this.#handOver(choice)
      // What the new one remembers takes room that the old one's did not.
      this.#shrink()
    }
    this.report()
  }

  /** Uses `factor` of the bound from now on: at once where that is more, by `giveWay` where it is less. */
  press(factor: number): void {
    const { ledger } = this
    this.#factor = factor
    ledger.maxBytes = Math.max(ledger.maxBytes, this.#bound)
    this.#policy.setCapacity(this.#bound)
    ledger.policyBytes = this.#policy.memoryBytes
  }

  /** Comes up to `bytes` nearer to what `press` wants, by evicting; says whether no more need go. */
  giveWay(bytes: number): boolean {
    // Called from within the user's policy, where nothing may be evicted: later, then.
    if (this.#userRuns) return false
    const { ledger } = this
    const bound = this.#bound
    ledger.maxBytes = Math.max(bound, Math.min(ledger.maxBytes, ledger.total) - bytes)
    this.#shrink()
    this.report()
    return ledger.maxBytes === bound
  }

  /** What `change` gives; who left for it is told of after all of it. */
  quietly<T>(change: () => T): T {
    const before = this.#reporting
    this.#reporting = true
    try {
      return change()
    } finally {
      this.#reporting = before
      this.report()
    }
  }

  /** Tells of the evictions since the last report. Those that callbacks cause are told by the next one, so that callbacks never nest. */
  report(): void {
    if (this.#left.length === 0 || this.#reporting) return
    const left = this.#left
    this.#left = []
    this.#reporting = true
    try {
      for (const [key, reason] of left) this.#host.onEvict(key, reason)
    } finally {
      this.#reporting = false
    }
  }

  /** What may be used: never less than the smallest store that there is. */
  get #bound(): number {
    return Math.max(Math.floor(this.#maxBytes * this.#factor), Math.min(this.#maxBytes, LEAST_BYTES))
  }

  get #userRuns(): boolean {
    return this.#policy instanceof UserPolicy && this.#policy.running
  }

  #makePolicy(choice: PolicyName | EvictionPolicy): Policy<Entry> {
    if (typeof choice === 'string') {
      return createPolicy(choice, this.#bound, evictable, this.#take)
    }
    return new UserPolicy<Entry>(choice, {
      keyOf: (entry) => entry.key,
      nodeOf: (key) => this.#entries.get(key),
      evictable,
      onFault: sayPolicyFault,
    })
  }

  /** Files the entry with the wheel, if it has a deadline. */
  #expect(entry: Entry): void {
    if (deadlineOf(entry) < Number.POSITIVE_INFINITY) this.#wheel.add(entry, this.#host.now())
  }

  /** Tells the policy of a change of size that the ledger has. */
  #resize(entry: Entry, bytes: number): void {
    if (bytes !== 0) this.#policy.resize(entry, entry.size + bytes)
  }

  /** Memory for the policy, if it fits as things are. If not, the next call that makes room makes some for it, too. */
  readonly #take = (bytes: number): boolean => {
    const { ledger } = this
    if (!ledger.fits(bytes, 0)) {
      this.#wanted = bytes
      return false
    }
    this.#wanted = 0
    ledger.policyBytes += bytes
    return true
  }

  /** Evicts until the bound holds, or nothing is left to evict: what is pinned goes when it is let go. */
  #shrink(): void {
    while (!this.ledger.fits(0, 0) && (this.#expireOne() || this.#evictOne()));
  }

  #expireOne(): boolean {
    if (this.#wheel.count === 0) return false
    const now = Math.floor(this.#host.now())
    for (let entry = this.#wheel.due(now); entry !== undefined; entry = this.#wheel.due(now)) {
      if (entry.holds === 0) {
        this.remove(entry)
        this.expirations += 1
        this.#left.push([entry.key, 'expired'])
        return true
      }
      // Dropping it would give nothing back. It is filed again when the last reader lets go.
      this.#wheel.remove(entry)
    }
    return false
  }

  #evictOne(): boolean {
    const entry = victimOf(this.#policy)
    // A policy of the user's may have removed it on its own when it was told.
    if (entry?.owner === 'entry') {
      this.#disown(entry)
      this.evictions += 1
      this.#left.push([entry.key, 'size'])
    }
    return entry !== undefined
  }

  /** The entry leaves everything but the policy. */
  #disown(entry: Entry): void {
    this.#entries.delete(entry.key)
    this.#wheel.remove(entry)
    this.ledger.drop(entry)
  }

  #handOver(choice: PolicyName | EvictionPolicy): void {
    const entries = drain(this.#policy)
    this.#faults = this.policyFaults
    this.#choice = choice
    this.#wanted = 0
    this.#policy = this.#makePolicy(choice)
    this.ledger.policyBytes = this.#policy.memoryBytes
    const { needsHash } = this.#policy
    for (const entry of entries) {
      entry.mark = 0
      if (entry.owner !== 'entry') continue
      if (needsHash) entry.hash = this.#keyHash.of(entry.key)
      this.#policy.add(entry)
    }
  }
}

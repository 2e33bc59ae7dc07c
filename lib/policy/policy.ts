/*
 * Which entry goes when room is needed. A policy orders entries; it owns none of them, never decides that
 * room is needed and never reads a value. The store calls it:
 *
 *     while (used + size > capacity) { const victim = policy.evict(); … free it … }
 *     policy.add(entry)
 *
 * Every policy exists twice, here and in native/policy, from one description that stands at the head of its
 * file here; both decide alike on the same calls, which the tests compare. They weigh bytes: what the
 * descriptions call a share of the cache is a share of its capacity in bytes.
 */

/** The policies that drey brings, by the name that `memoryStore({ policy })` takes. */
export const POLICY_NAMES = ['lru', 'lfu', 'fifo', 'sieve', 's3-fifo', 'w-tinylfu'] as const

/** One of the policies that drey brings. */
export type PolicyName = (typeof POLICY_NAMES)[number]

/** What a policy is called in numbers that are shown: `own` where it is the user's. */
export function nameOfPolicy(policy: PolicyName | EvictionPolicy): PolicyName | 'own' {
  return typeof policy === 'string' ? policy : 'own'
}

/**
 * An eviction policy of your own, for a memory store of one thread: `memoryStore({ policy: mine })`.
 *
 * The store tells it what comes, is read and leaves, and asks it what should go. All four are called between
 * the steps of a read or a write, so they should be quick, and must not call the cache: a write is refused
 * then, and of a read or a delete the policy is not told. One that throws, or answers with keys that it was
 * not given or with none, is overruled: the entry that came first goes. The store counts that in
 * `policyFaults` of its stats, and says so once, as a warning of the process with the code `DREY_POLICY`.
 *
 * What a policy MUST do, and `policySuite` of `drey/testing` checks:
 *
 *  P1  `evict` names at least one key whenever there is one, and only keys that were added and not removed since, none twice.
 *  P2  After `remove` the key is not there, until it is added again; then it is a new one.
 *  P3  Every key is named before long: who removes what is named, as often as there are keys, has removed all.
 *  P4  What was named is there until it is removed: it may be touched, named again, or removed and added again because it could not go.
 *  P5  All four answer at once, and throw nothing.
 *  P6  The calls come in any order that P1 to P4 allow. `touch` and `remove` come for keys that are there.
 */
export interface EvictionPolicy {
  /**
   * An entry of `size` bytes, all that it takes in the store's engine, is there. A key that is there
   * already was overwritten: `remove` is called before.
   */
  add(key: string, size: number): void
  /** The entry was read. */
  touch(key: string): void
  /** The entry left: deleted, expired, overwritten, or evicted on the word of `evict`. */
  remove(key: string): void
  /**
   * The keys that should leave now, first the first, at least one. They have not left before `remove` says
   * so; one that cannot leave, because it is being read, is removed and added again.
   */
  evict(): Iterable<string>
}

/**
 * What a policy keeps in an entry, so that ordering entries allocates nothing: entries of the store have
 * these fields. The store sets `size` and `hash` before `add`; the rest is the policy's.
 */
export interface PolicyNode<N> {
  older: N | undefined
  newer: N | undefined
  /** Which queue the entry is in, and how often it was used, as the policy sees fit. */
  mark: number
  /** What the entry weighs, in bytes. Changed only by `resize` while the policy has it. */
  size: number
  /** 32 bits of a keyed hash of the key, as a signed integer. Only read where `needsHash` says so. */
  readonly hash: number
}

/**
 * The policies as the store sees them. An entry is added once and removed once; in between it is in exactly
 * one queue of the policy. Costs are O(1), for `evict` amortised over the calls before it.
 */
export interface Policy<N> {
  /** Entries that were added and neither removed nor evicted. */
  readonly count: number
  /** The sum of their sizes. */
  readonly bytes: number
  /**
   * What the policy holds beside the fields of the entries, in bytes: its history of entries that are gone.
   */
  readonly memoryBytes: number
  /** Whether the policy reads the hash of an entry. */
  readonly needsHash: boolean
  /** Room was made for the entry already. */
  add(node: N): void
  /** The entry was used. */
  touch(node: N): void
  /** The entry leaves by other means than `evict`, and is forgotten. */
  remove(node: N): void
  /** `by` takes the place of `node`, whose key was overwritten, and counts as used. */
  replace(node: N, by: N): void
  /** The entry weighs `size` from now on. */
  resize(node: N, size: number): void
  /**
   * The entry that should go, which the policy has let go of already; undefined when there is none. Entries
   * that are pinned are passed over, PASS_LIMIT of them at most, so that a call has an end: where more are in
   * the way, the answer is undefined, and the next call goes on behind them.
   *
   * @param pinnedToo takes pinned entries as well: to hand all entries, coldest first, to another policy.
   */
  evict(pinnedToo?: boolean): N | undefined
  /**
   * The capacity that shares are taken of. Evicts nothing: that is for the store, which calls `evict` as long
   * as it must.
   */
  setCapacity(bytes: number): void
}

/**
 * Asks for `bytes` more for what a policy holds beside the entries: true when it may take them. A policy that may not goes
 * on with what it has, which costs hits and nothing more, and asks again when it could use them again.
 */
export type TakeMemory = (bytes: number) => boolean

/** Where nobody counts. */
export const takeAny: TakeMemory = () => true

/** Pinned entries that one `evict` passes over at most. */
export const PASS_LIMIT = 256

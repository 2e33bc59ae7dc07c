/** Who answers for the bytes of an account: a draft, a committed entry, or nobody any more. */
export type Owner = 'draft' | 'entry' | 'nobody'

/** Bytes of one draft or entry. Only the ledger changes these fields, but for `size` of an entry that a policy has. */
export interface Account {
  /** All that is charged: head and value. */
  size: number
  /** Of `size`, what lies on the JS heap: the entry itself, its key and metadata. */
  headBytes: number
  /** Readers that keep the bytes beyond the life of the entry. */
  holds: number
  owner: Owner
}

/**
 * What a memory store holds, so that its bound is true at every moment.
 *
 * An account is pinned while it is a draft or is held by a reader: its bytes cannot be had by evicting. It
 * leaves the total when nobody owns it and nobody holds it.
 *
 * Invariants: `pinned` ≤ `total` ≤ `maxBytes` and `heads` ≤ `maxHeads`; `heads` is the sum of `headBytes` over
 * all accounts that are owned or held, `total` that of `size` and `policyBytes`, `pinned` that of `size` over the pinned
 * ones. Callers ask whether it `fits` before they charge. `maxBytes` is what may be used now: the store's bound, or a part
 * of it. When it was lowered below what is pinned, `total` passes
 * it until readers and drafts let go, and nothing fits.
 */
export class Ledger {
  maxBytes: number
  readonly maxHeads: number
  total = 0
  pinned = 0
  heads = 0
  #policyBytes = 0

  constructor(maxBytes: number, maxHeads: number) {
    this.maxBytes = maxBytes
    this.maxHeads = maxHeads
  }

  /** Whether `bytes` more fit, of which `headBytes` lie on the JS heap. */
  fits(bytes: number, headBytes: number): boolean {
    return this.total + bytes <= this.maxBytes && this.heads + headBytes <= this.maxHeads
  }

  /** Whether `bytes` more would fit if all that is not pinned were evicted. */
  couldFit(bytes: number): boolean {
    return this.pinned + this.#policyBytes + bytes <= this.maxBytes
  }

  /** What the policy holds beside the entries. */
  get policyBytes(): number {
    return this.#policyBytes
  }

  set policyBytes(bytes: number) {
    this.total += bytes - this.#policyBytes
    this.#policyBytes = bytes
  }

  /** Adds `bytes` of the account's value; negative gives back. */
  charge(account: Account, bytes: number): void {
    account.size += bytes
    this.recharge(account, bytes)
  }

  /** As `charge`, for who changes `size` by `bytes` in its own way. */
  recharge(account: Account, bytes: number): void {
    this.total += bytes
    if (isPinned(account)) this.pinned += bytes
  }

  /** Adds `bytes` of the account's head; negative gives back. */
  chargeHead(account: Account, bytes: number): void {
    account.size += bytes
    this.rechargeHead(account, bytes)
  }

  /** As `recharge`, of the head. */
  rechargeHead(account: Account, bytes: number): void {
    account.headBytes += bytes
    this.heads += bytes
    this.recharge(account, bytes)
  }

  /** The draft became an entry. */
  commit(draft: Account): void {
    draft.owner = 'entry'
    if (draft.holds === 0) this.pinned -= draft.size
  }

  /** The draft or entry is gone; its bytes stay for those who hold them. */
  drop(account: Account): void {
    if (account.holds === 0) this.#forget(account)
    account.owner = 'nobody'
  }

  hold(account: Account): void {
    if (account.holds === 0) {
      if (account.owner === 'nobody') throw new Error('a draft is held while it is open, or never')
      if (account.owner === 'entry') this.pinned += account.size
    }
    account.holds += 1
  }

  release(account: Account): void {
    if (account.holds === 1) {
      if (account.owner === 'nobody') this.#forget(account)
      else if (account.owner === 'entry') this.pinned -= account.size
    }
    account.holds -= 1
  }

  #forget(account: Account): void {
    if (isPinned(account)) this.pinned -= account.size
    this.total -= account.size
    this.heads -= account.headBytes
  }
}

function isPinned(account: Account): boolean {
  return account.holds > 0 || account.owner === 'draft'
}

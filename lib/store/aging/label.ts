import type { Metadata } from '../store.js'

/*
 * How an entry says until when its tier answers by itself: in the `user` part of its metadata, since a store keeps that as it is. `user` is an object
 * with two members: MARK, epoch milliseconds; and `user`, where the entry has one.
 */

const MARK = 'drey:tier-fresh-until'

/** Metadata for the store beneath. */
export function labelled({ tierFreshUntil: _, user, ...rest }: Metadata, until: number): Metadata {
  const wrapped = user === undefined ? { [MARK]: until } : { [MARK]: until, user }
  return Object.freeze({ ...rest, user: Object.freeze(wrapped) })
}

/** Metadata for the cache, of what is `metadata` beneath; the same where there is no label: the entry is older than the option. */
export function unlabelled(metadata: Metadata): Metadata {
  const { user, ...rest } = metadata
  if (typeof user !== 'object' || user === null || !(MARK in user)) return metadata
  const { [MARK]: until, user: own } = user as { readonly [MARK]: unknown; readonly user?: unknown }
  if (typeof until !== 'number') return metadata
  const above = { ...rest, tierFreshUntil: until }
  return Object.freeze(own === undefined ? above : { ...above, user: own })
}

/** Whether the tier that it was found in does not answer with it by itself any more. */
export function hasAged({ tierFreshUntil }: Metadata, now: number): boolean {
  return tierFreshUntil !== undefined && now >= tierFreshUntil
}

/** Metadata for a tier below, which has a time of its own. */
export function forBelow(metadata: Metadata): Metadata {
  if (metadata.tierFreshUntil === undefined) return metadata
  const { tierFreshUntil: _, ...rest } = metadata
  return Object.freeze(rest)
}

/** Metadata for a tier above: nothing is fresher there than where it came from. */
export function forAbove(metadata: Metadata): Metadata {
  const { tierFreshUntil, freshUntil, staleUntil } = metadata
  if (tierFreshUntil === undefined) return metadata
  const rest = forBelow(metadata)
  if (tierFreshUntil >= freshUntil) return rest
  const staleFor = freshUntil === Number.POSITIVE_INFINITY ? 0 : staleUntil - freshUntil
  return Object.freeze({ ...rest, freshUntil: tierFreshUntil, staleUntil: tierFreshUntil + staleFor })
}

/*
 * The numbers that calls of the memory store take and give beside their arguments: places in one Float64Array for
 * each thread, which both sides write to. native/node/numbers.h has the same list.
 */

/** Of an entry that was found, or is being set. */
export const SIZE = 0
export const CACHED_AT = 1
export const FRESH_UNTIL = 2
export const STALE_UNTIL = 3
export const STALE_IF_ERROR_UNTIL = 4
/** 1 when the entry is negative, else 0. */
export const NEGATIVE = 5
/** Bytes of etag and user; -1 when there is none. */
export const ETAG_SIZE = 6
export const USER_SIZE = 7
export const VERSION = 8
/** Where in the block the value begins, and the etag, which the user's text follows. */
export const VALUE_AT = 9
export const TEXT_AT = 10
/** How much of the block was given out before. */
export const BLOCK_USED = 11
/** What was opened, begun or claimed. */
export const HANDLE = 12
/** A view: where it begins in the arena, and its length; 0 at the end, -1 when it has to be copied. */
export const VIEW_AT = 13
export const VIEW_SIZE = 14

/** What `memoryTags` and `fileTags` write, in order; native/node/store_tags.cc has the same list. */
export const TAGS = { version: 0, sequence: 1, latest: 2 } as const
export const TAG_NUMBERS = 3

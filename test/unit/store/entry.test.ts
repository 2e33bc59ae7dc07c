import { describe, expect, test } from 'vitest'
import { ENTRY_OVERHEAD, headBytesOf, ownKey } from '../../../lib/store/memory/entry.js'
import { metadataFor } from '../../conformance/store-kit.js'

const of = (more: Parameters<typeof metadataFor>[1]): number =>
  headBytesOf('', metadataFor(0, more)) - ENTRY_OVERHEAD

describe('what an entry costs beside its value', () => {
  test('grows with the key: a byte a character in ASCII, else two', () => {
    expect(headBytesOf('a'.repeat(100), undefined)).toBe(ENTRY_OVERHEAD + 100)
    expect(headBytesOf(`${'a'.repeat(99)}é`, undefined)).toBe(ENTRY_OVERHEAD + 200)
    expect(headBytesOf('日'.repeat(100), undefined)).toBe(ENTRY_OVERHEAD + 200)
    expect(headBytesOf('🐿'.repeat(50), undefined)).toBe(ENTRY_OVERHEAD + 200)
  })

  test('counts the etag and the user metadata, and nothing where there is none', () => {
    expect(of({})).toBe(0)
    expect(of({ etag: 'x'.repeat(50) })).toBe(24 + 50)
    expect(of({ user: null })).toBe(0)
    expect(of({ user: 'x'.repeat(50) })).toBe(24 + 50)
    expect(of({ user: [1, [], {}] })).toBeGreaterThan(of({ user: [1] }))
  })

  test('of empty objects and arrays is more than their text', () => {
    const objects = Array.from({ length: 1000 }, () => ({}))
    expect(of({ user: objects })).toBeGreaterThan(60 * objects.length)
    const arrays = Array.from({ length: 1000 }, () => [])
    expect(of({ user: arrays })).toBeGreaterThan(50 * arrays.length)
  })

  test('of nesting as deep as text allows is counted without recursion', () => {
    const depth = 32_000
    const user = JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown
    expect(of({ user })).toBeGreaterThan(50 * depth)
  })
})

test.each([
  '',
  'short',
  'longer than a slice of V8',
  'längere Schlüssel',
  '日本語のとても長いキー、十三文字',
  '🐿'.repeat(20),
  'a\0b\nc'.repeat(9),
])('a key of its own is the same key: %j', (key) => {
  expect(ownKey(key)).toBe(key)
  expect(ownKey(`before ${key} after`.slice(7, 7 + key.length))).toBe(key)
})

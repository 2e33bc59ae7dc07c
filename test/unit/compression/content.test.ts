import { describe, expect, test } from 'vitest'
import { COMPRESSED_TYPES, hintOf, isTypePattern, skipsOf } from '../../../lib/compression/content.js'

describe('what is compressed already', () => {
  const skips = skipsOf(COMPRESSED_TYPES)

  test.each([
    'image/jpeg',
    'IMAGE/PNG',
    ' image/webp ; q=1',
    'video/mp4',
    'video/anything',
    'audio/mpeg',
    'font/woff2',
    'application/zip',
    'application/epub+zip',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  ])('is not tried: %s', (type) => {
    expect(skips({ type })).toBe(true)
  })

  test.each([
    undefined,
    '',
    'text/html; charset=utf-8',
    'application/json',
    'image/svg+xml',
    'image/bmp',
    'audio/wav',
    'application/wasm',
    'application/zipped',
    'x-image/jpeg',
    'no type at all',
  ])('and other types are: %s', (type) => {
    expect(skips({ type })).toBe(false)
  })

  test.each(['gzip', 'br', 'zstd', 'deflate', 'x-gzip', 'aes128gcm', 'gzip, identity'])(
    'by its encoding: %s',
    (encoding) => {
      expect(skips({ encoding })).toBe(true)
      expect(skips({ type: 'text/html', encoding })).toBe(true)
    },
  )

  test.each([undefined, '', 'identity', ' Identity '])('and without one it is not: %s', (encoding) => {
    expect(skips({ type: 'text/html', encoding })).toBe(false)
  })

  test('is what a list says, in place of the usual one', () => {
    const own = skipsOf(['text/*', '*+Json', 'application/x-own'])
    expect(own({ type: 'text/html' })).toBe(true)
    expect(own({ type: 'application/ld+json' })).toBe(true)
    expect(own({ type: 'application/X-Own;v=1' })).toBe(true)
    expect(own({ type: 'image/jpeg' })).toBe(false)
    expect(skipsOf([])({ type: 'image/jpeg' })).toBe(false)
  })
})

test.each(['image/png', 'video/*', '*+zip', 'application/vnd.a.*', '*/zip', '*'])(
  '%s is a pattern',
  (pattern) => {
    expect(isTypePattern(pattern)).toBe(true)
  },
)

test.each(['', 'png', 'a b/c', 'image/*/x', '*a*', 'x/'.padEnd(300, 'x'), 1, null, undefined, {}])(
  '%s is none',
  (pattern) => {
    expect(isTypePattern(pattern)).toBe(false)
  },
)

describe('the hint', () => {
  test.each([
    [{ type: 'text/html' }, { type: 'text/html', encoding: undefined }],
    [
      { type: 1, encoding: 'br' },
      { type: undefined, encoding: 'br' },
    ],
    [
      { headers: { 'content-type': 'text/css', 'content-encoding': 'gzip' } },
      { type: 'text/css', encoding: 'gzip' },
    ],
    [
      { headers: ['Vary', 'x', 'Content-Type', 'image/png', 'Content-Encoding', 'br'] },
      { type: 'image/png', encoding: 'br' },
    ],
    [
      { type: 'a/b', headers: { 'content-type': 'c/d' } },
      { type: 'a/b', encoding: undefined },
    ],
    [{ headers: ['content-type'] }, { type: undefined, encoding: undefined }],
    [{ headers: [1, 2, null, {}] }, { type: undefined, encoding: undefined }],
    [{ headers: null }, { type: undefined, encoding: undefined }],
    [{}, { type: undefined, encoding: undefined }],
  ])('of %o', (user, hint) => {
    expect(hintOf(user)).toEqual(hint)
  })

  test.each([undefined, null, 'image/png', 1, true])('of %s is nothing', (user) => {
    expect(hintOf(user)).toEqual({})
  })

  test('does not come from a prototype', () => {
    const headers = Object.create({ 'content-type': 'image/png' })
    expect(hintOf({ headers }).type).toBeUndefined()
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseHttpDate } from '../../../lib/http/dates.js'
import { canonical, parseDirectives } from '../../../lib/http/directives.js'
import { namesEtag, parseEtag, stronglyEqual, weaklyEqual } from '../../../lib/http/etags.js'
import { foldFields, hopFields, namesEndToEndFields, without } from '../../../lib/http/headers.js'
import { parseListen } from '../../../lib/http/listen.js'
import { parseRange, sliceOf } from '../../../lib/http/range.js'
import { keyOf, targetOf } from '../../../lib/http/target.js'
import { selectionOf, selects, variantKey, varyNames } from '../../../lib/http/vary.js'

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9a-zA-Z-]{1,12}$/)
const NOW = Date.UTC(2026, 10, 21)

describe('HTTP-date', () => {
  test('each form that a date can be written in is read back', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2069-12-31'), noInvalidDate: true }), (date) => {
        const epoch = Math.floor(date.getTime() / 1000) * 1000
        const fixed = new Date(epoch).toUTCString()
        const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+) GMT$/.exec(fixed)!
        const asctime = `Sun ${month} ${String(Number(day)).padStart(2, ' ')} ${time} ${year}`
        expect(parseHttpDate(fixed, NOW)).toBe(epoch)
        expect(parseHttpDate(asctime, NOW)).toBe(epoch)
        const old = `Wednesday, ${day}-${month}-${year!.slice(2)} ${time} GMT`
        // Two digits reach from 49 years ago to 50 years ahead.
        if (Number(year) > 1976) expect(parseHttpDate(old, NOW)).toBe(epoch)
      }),
    )
  })

  test.each([
    '',
    '0',
    '-1',
    'now',
    '2023-11-14',
    'Tue, 14 Nov 2023 22:13:20',
    'Tue, 14 Nov 2023 22:13:20 CET',
    'Tue, 14 Nox 2023 22:13:20 GMT',
    'Tue, 32 Nov 2023 22:13:20 GMT',
    'Tue, 14 Nov 2023 24:13:20 GMT',
    'Tue, 14 Nov 2023 22:13:20 GMT, x',
  ])('%j is none', (text) => expect(parseHttpDate(text, NOW)).toBeUndefined())
})

describe('Cache-Control', () => {
  test('whatever is written by the grammar is read back', () => {
    const quoted = fc.stringMatching(/^[ !#-[\]-~,]{0,10}$/).map((text) => [`"${text}"`, text] as const)
    const plain = token.map((text) => [text, text] as const)
    const bare = fc.constant(['', ''] as const)
    const directive = fc.tuple(token, fc.oneof(quoted, plain, bare))
    fc.assert(
      fc.property(fc.uniqueArray(directive, { selector: ([name]) => name.toLowerCase() }), (list) => {
        const header = list
          .map(([name, [written]]) => (written === '' ? name : `${name}=${written}`))
          .join(' , ')
        const read = parseDirectives(header)
        for (const [name, [, argument]] of list) {
          const known = /^(max-age|s-maxage|stale-if-error|stale-while-revalidate|min-fresh)$/i.test(name)
          if (!known) expect(read.get(name.toLowerCase())).toBe(argument)
        }
        expect(read.size).toBe(list.length)
      }),
    )
  })

  test('no text is too odd to be read, and a no-store between commas is always seen', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        parseDirectives(before + after)
        const clean = (text: string): string => text.replaceAll('"', '')
        expect(parseDirectives(`${clean(before)},No-Store,${clean(after)}`).has('no-store')).toBe(true)
      }),
    )
  })

  test.each([
    ['max-age=60', 'max-age=60'],
    ['Max-Age="60", PUBLIC', 'max-age=60, public'],
    ['max-age=1, max-age=1', 'max-age=1'],
    ['max-age=1, max-age=2', 'max-age=0'],
    ['max-age=-1', 'max-age=0'],
    ['max-age=1.5', 'max-age=0'],
    ['max-age', 'max-age=0'],
    ['max-age=', 'max-age=0'],
    ['max-age=99999999999999', 'max-age=2147483648'],
    ['no-cache="Set-Cookie, X"', 'no-cache'],
    ['private="max-age=5, x", max-age=6', 'private, max-age=6'],
    ['private="unclosed, max-age=6', 'private, max-age=6'],
    [', ,max-age = 5 ,,', 'max-age=5'],
    ['', ''],
  ])('%j is %j', (header, expected) => expect(canonical(parseDirectives(header))).toBe(expected))

  test('a long header takes no long time', () => {
    for (const part of ['a="', 'a="\\', ' ', 'a=b ', '"', ',']) parseDirectives(part.repeat(8000))
  })
})

describe('entity tags', () => {
  test.each([
    ['"a"', true],
    ['""', true],
    ['W/"a"', true],
    ['"a,b"', true],
    ['"\xe9"', true],
    ['a', false],
    ['w/"a"', false],
    ['"a" ', false],
    ['"a"b"', false],
    ['"a", "b"', false],
    ['"a\tb"', false],
  ])('%j is one: %s', (text, is) => expect(parseEtag(text)).toBe(is ? text : undefined))

  test('a list names each of its members, and no other', () => {
    const tag = fc.stringMatching(/^[!#-~]{0,6}$/).map((text) => `"${text}"`)
    fc.assert(
      fc.property(fc.array(tag), tag, fc.boolean(), (list, one, weak) => {
        const header = list.map((text, i) => (i % 2 ? text : `W/${text}`)).join(' , ')
        expect(namesEtag(header, weak ? `W/${one}` : one)).toBe(list.includes(one))
      }),
    )
  })

  test('comparison, weak and strong', () => {
    expect([weaklyEqual('W/"1"', 'W/"1"'), weaklyEqual('W/"1"', '"1"'), weaklyEqual('"1"', '"2"')]).toEqual([
      true,
      true,
      false,
    ])
    expect([
      stronglyEqual('"1"', '"1"'),
      stronglyEqual('W/"1"', 'W/"1"'),
      stronglyEqual('W/"1"', '"1"'),
    ]).toEqual([true, false, false])
  })
})

describe('ranges', () => {
  test('a slice is within the value, and what the header says', () => {
    const part = fc.oneof(fc.constant(''), fc.nat(30).map(String))
    fc.assert(
      fc.property(part, part, fc.nat(20), (first, last, size) => {
        const spec = parseRange(`bytes=${first}-${last}`)
        const senseless = first === '' ? last === '' : last !== '' && Number(first) > Number(last)
        expect(spec === undefined).toBe(senseless)
        if (spec === undefined) return
        const slice = sliceOf(spec, size)
        const all = Array.from({ length: size }, (_, i) => i)
        const wanted =
          first === ''
            ? all.slice(Math.max(0, size - Number(last)))
            : all.slice(Number(first), last === '' ? size : Number(last) + 1)
        if (typeof slice === 'object') expect(all.slice(slice.start, slice.end + 1)).toEqual(wanted)
        else expect(wanted).toEqual([])
      }),
    )
  })
})

describe('header lists', () => {
  test('folding, hop-by-hop fields, and what Connection names', () => {
    const fields = foldFields(['A', '1', 'b', '2', 'a', '3', '__proto__', 'x', 'constructor', 'y'])
    expect([
      fields['a'],
      fields['b'],
      Object.entries(fields).find(([name]) => name === '__proto__')?.[1],
      fields['constructor'],
    ]).toEqual(['1, 3', '2', 'x', 'y'])
    expect(fields['tostring']).toBeUndefined()
    expect(
      without(['A', '1', 'Keep-Alive', '2', 'X', '3'], (name) => hopFields('close, X').has(name)),
    ).toEqual(['A', '1'])
    expect(['close', 'keep-alive', 'TE, Upgrade', '', ' , '].map(namesEndToEndFields)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
    expect(['cookie', 'close, Accept', 'x'].map(namesEndToEndFields)).toEqual([true, true, true])
  })
})

describe('targets', () => {
  test('no two targets make one key', () => {
    const path = fc.stringMatching(/^\/[!-~]{0,8}$/)
    const host = fc.stringMatching(/^[a-z0-9.:-]{0,8}$/)
    fc.assert(
      fc.property(path, host, path, host, (a, b, c, d) => {
        expect(keyOf(a, b) === keyOf(c, d)).toBe(a === c && b === d)
      }),
    )
  })

  test.each([
    ['/a', 'H.example:80', { path: '/a', host: 'h.example:80' }],
    ['//x/y', '[::1]:80', { path: '//x/y', host: '[::1]:80' }],
    ['/', undefined, { path: '/', host: '' }],
    ['http://A/b?c', 'x', { path: '/b?c', host: 'a' }],
    ['https://a:1?c', 'x', { path: '/?c', host: 'a:1' }],
    ['http:///a', 'x', undefined],
    ['http://a b/', 'x', undefined],
    ['/a', 'x/y', undefined],
    ['/a', 'x y', undefined],
    ['/a', 'a@b', undefined],
    ['/a', 'a:b', undefined],
    ['/a', '[::1', undefined],
    ['a', 'x', undefined],
    ['*', 'x', undefined],
  ])('%s at %s', (url, host, expected) => expect(targetOf(url, host)).toEqual(expected))
})

describe('variants', () => {
  test('two requests have one key below a root exactly when they select one variant', () => {
    const value = fc.oneof(
      fc.constant(undefined),
      fc.stringMatching(/^[a-c,: \t]{0,4}$/).map((text) => text.trim()),
    )
    const request = fc.record({ a: value, b: value })
    fc.assert(
      fc.property(request, request, (one, other) => {
        const names = ['a', 'b']
        const same = selects(selectionOf(names, one), other)
        expect(variantKey('k', 'm', names, one) === variantKey('k', 'm', names, other)).toBe(same)
      }),
    )
  })

  test('long selections are hashed', () => {
    const keys = ['x', 'y'].map((end) => variantKey('k', 'm', ['a'], { a: 'v'.repeat(5000) + end }))
    expect(keys[0]).not.toBe(keys[1])
    expect(keys[0]!.length).toBeLessThan(100)
    expect(varyNames('Accept ,accept, X')).toEqual(['accept', 'x'])
  })
})

describe('listen', () => {
  test.each([
    [8080, { host: '127.0.0.1', port: 8080 }],
    ['8080', { host: '127.0.0.1', port: 8080 }],
    [':80', { host: '127.0.0.1', port: 80 }],
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['a.example:80', { host: 'a.example', port: 80 }],
  ])('%j', (given, expected) => expect(parseListen(given)).toEqual(expected))
})

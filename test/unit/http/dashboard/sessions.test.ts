import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { publicPath, relativeTo } from '../../../../lib/http/dashboard/login.js'
import { SESSION_MS, Sessions } from '../../../../lib/http/dashboard/sessions.js'
import { FakeClock } from '../../../helpers/clock.js'

const TOKEN = 'a-token-of-some-length'

const pairOf = (cookie: string): string => cookie.split(';')[0]!

describe('a session', () => {
  test('is known until it is over, also by who has started anew with the same token', () => {
    const clock = new FakeClock()
    const sessions = new Sessions(TOKEN, clock)
    const cookie = sessions.issue('/dashboard', false)
    expect(cookie).toMatch(
      /^drey_dashboard=[\w.-]+; Path=\/dashboard; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    )
    expect(cookie).not.toContain(TOKEN)
    const headers = { cookie: `a=b; ${pairOf(cookie)}; c=d` }
    expect(sessions.accepts(headers)).toBe(true)
    expect(new Sessions(TOKEN, clock).accepts(headers)).toBe(true)
    expect(new Sessions(`${TOKEN}2`, clock).accepts(headers)).toBe(false)
    clock.advance(SESSION_MS - 1)
    expect(sessions.accepts(headers)).toBe(true)
    clock.advance(1)
    expect(sessions.accepts(headers)).toBe(false)
  })

  test('is for secure connections alone where it was given on one', () => {
    expect(new Sessions(TOKEN, new FakeClock()).issue('/', true)).toMatch(/; Secure$/)
  })

  test('is made by nobody who changes as much as a character of one', () => {
    const sessions = new Sessions(TOKEN, new FakeClock())
    const value = pairOf(sessions.issue('/', false))
    fc.assert(
      fc.property(fc.nat(value.length - 1), fc.constantFrom(...'aZ0.-_='), (at, character) => {
        const other = value.slice(0, at) + character + value.slice(at + 1)
        expect(sessions.accepts({ cookie: other })).toBe(other === value)
      }),
    )
  })

  test.each([
    undefined,
    '',
    'drey_dashboard=',
    'drey_dashboard=..',
    `drey_dashboard=${TOKEN}`,
    '='.repeat(9000),
  ])('is not %j', (cookie) => {
    expect(new Sessions(TOKEN, new FakeClock()).accepts(cookie === undefined ? {} : { cookie })).toBe(false)
  })
})

test.each([
  ['/dashboard?x=1', undefined, '/dashboard', './dashboard'],
  ['/', '/ops/drey/', '/ops/drey/', './'],
  ['/dashboard', '//evil.example', '//evil.example', './evil.example'],
  ['/a;b', undefined, '/', './'],
  ['/a\r\nset-cookie: x', undefined, '/', './'],
])('of %j and %j the browser comes back to where it was', (url, originalUrl, path, relative) => {
  const found = publicPath({ url, originalUrl } as never)
  expect([found, relativeTo(found)]).toEqual([path, relative])
})

import { describe, expect, test } from 'vitest'
import type { ProxyOptions } from '../../../lib/http/options.js'
import type { Plan } from '../../helpers/origin.js'
import { bed } from './harness.js'

const FRESH = ['Cache-Control', 'max-age=60']
const YESTERDAY = 'Mon, 13 Nov 2023 22:13:20 GMT'
const NOW = 'Tue, 14 Nov 2023 22:13:20 GMT'
const IN_A_MINUTE = 'Tue, 14 Nov 2023 22:14:20 GMT'

interface Case {
  readonly name: string
  readonly plan: Plan
  readonly options?: Partial<ProxyOptions>
  readonly headers?: Readonly<Record<string, string>>
  /** What the first Cache-Status says besides the forward. */
  readonly says: string
  readonly stored: boolean
}

const cases: Case[] = [
  { name: 'max-age', plan: { headers: FRESH }, says: 'ttl=60; stored', stored: true },
  {
    name: 's-maxage over max-age',
    plan: { headers: ['Cache-Control', 'max-age=0, s-maxage=30'] },
    says: 'ttl=30; stored',
    stored: true,
  },
  {
    name: 'Expires',
    plan: { headers: ['Date', NOW, 'Expires', IN_A_MINUTE] },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'Expires that is no date',
    plan: { headers: ['Expires', '0'] },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'Expires that is no date, under a default ttl: the origin did say something',
    plan: { headers: ['Expires', '-1'] },
    options: { ttl: '1m' },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'max-age over Expires',
    plan: { headers: ['Date', NOW, 'Expires', YESTERDAY, ...FRESH] },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'upper case directives',
    plan: { headers: ['Cache-Control', 'MAX-AGE=60'] },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'upper case no-store',
    plan: { headers: ['Cache-Control', 'max-age=60, NO-STORE'] },
    says: 'detail=no-store',
    stored: false,
  },
  {
    name: 'directives on two lines',
    plan: { headers: [...FRESH, 'Cache-Control', 'private'] },
    says: 'detail=private',
    stored: false,
  },
  {
    name: 'private with field names that hold a comma',
    plan: { headers: ['Cache-Control', 'private="a, max-age=99", max-age=60'] },
    says: 'detail=private',
    stored: false,
  },
  {
    name: 'max-age twice with different values',
    plan: { headers: ['Cache-Control', 'max-age=60, max-age=3600'] },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'max-age that is no number',
    plan: { headers: ['Cache-Control', 'max-age=1h'] },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'max-age in quotes',
    plan: { headers: ['Cache-Control', 'max-age="60"'] },
    says: 'ttl=60; stored',
    stored: true,
  },
  { name: 'nothing about freshness', plan: {}, says: 'detail=no-freshness', stored: false },
  {
    name: 'only Last-Modified',
    plan: { headers: ['Last-Modified', YESTERDAY] },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'only Last-Modified, heuristic',
    plan: { headers: ['Date', NOW, 'Last-Modified', YESTERDAY] },
    options: { heuristic: true },
    says: 'ttl=8640; stored',
    stored: true,
  },
  {
    name: 'nothing about freshness, default ttl',
    plan: {},
    options: { ttl: '5s' },
    says: 'ttl=5; stored',
    stored: true,
  },
  {
    name: 'max-age under a default ttl',
    plan: { headers: FRESH },
    options: { ttl: '5s' },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'public alone',
    plan: { headers: ['Cache-Control', 'public'] },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'immutable alone',
    plan: { headers: ['Cache-Control', 'immutable'] },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'no-store',
    plan: { headers: ['Cache-Control', 'no-store'] },
    options: { ttl: '1m' },
    says: 'detail=no-store',
    stored: false,
  },
  {
    name: 'private',
    plan: { headers: ['Cache-Control', 'private, max-age=60'] },
    says: 'detail=private',
    stored: false,
  },
  {
    name: 'Set-Cookie',
    plan: { headers: [...FRESH, 'Set-Cookie', 'a=b'] },
    says: 'detail=set-cookie',
    stored: false,
  },
  {
    name: 'Set-Cookie, public',
    plan: { headers: ['Cache-Control', 'public, max-age=60', 'Set-Cookie', 'a=b'] },
    says: 'detail=set-cookie',
    stored: false,
  },
  { name: 'Vary: *', plan: { headers: [...FRESH, 'Vary', 'Accept, *'] }, says: 'detail=vary', stored: false },
  {
    name: 'no-cache without validator',
    plan: { headers: ['Cache-Control', 'no-cache'] },
    says: 'detail=no-cache',
    stored: false,
  },
  {
    name: 'Pragma: no-cache without validator',
    plan: { headers: ['Pragma', 'no-cache'] },
    options: { ttl: '1m' },
    says: 'detail=no-cache',
    stored: false,
  },
  {
    name: 'Age beyond max-age',
    plan: { headers: [...FRESH, 'Age', '61'] },
    options: { staleIfError: 0 },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: 'Age within max-age',
    plan: { headers: [...FRESH, 'Age', '45'] },
    says: 'ttl=15; stored',
    stored: true,
  },
  {
    name: 'Date in the past and no Age',
    plan: { headers: [...FRESH, 'Date', 'Tue, 14 Nov 2023 22:12:50 GMT'] },
    says: 'ttl=30; stored',
    stored: true,
  },
  { name: '203', plan: { status: 203, headers: FRESH }, says: 'ttl=60; stored', stored: true },
  { name: '204', plan: { status: 204, headers: FRESH }, says: 'ttl=60; stored', stored: true },
  {
    name: '301',
    plan: { status: 301, headers: [...FRESH, 'Location', '/x'] },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: '302',
    plan: { status: 302, headers: [...FRESH, 'Location', '/x'] },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: '302 without freshness',
    plan: { status: 302 },
    options: { ttl: '1m' },
    says: 'detail=status',
    stored: false,
  },
  {
    name: '404',
    plan: { status: 404, headers: FRESH, body: 'none here' },
    says: 'ttl=60; stored',
    stored: true,
  },
  { name: '410', plan: { status: 410, headers: FRESH }, says: 'ttl=60; stored', stored: true },
  { name: '501', plan: { status: 501, headers: FRESH }, says: 'ttl=60; stored', stored: true },
  {
    name: '404 under a default ttl: errors need explicit freshness',
    plan: { status: 404 },
    options: { ttl: '1m' },
    says: 'detail=no-freshness',
    stored: false,
  },
  {
    name: '200 that says Content-Range',
    plan: { headers: [...FRESH, 'Content-Range', 'bytes 0-1/5'] },
    says: 'detail=partial',
    stored: false,
  },
  { name: '201', plan: { status: 201, headers: FRESH }, says: 'detail=status', stored: false },
  { name: '500', plan: { status: 500, headers: FRESH }, says: 'detail=status', stored: false },
  { name: '503', plan: { status: 503, headers: FRESH }, says: 'detail=status', stored: false },
  {
    name: 'larger than an item may be',
    plan: { headers: FRESH, body: Buffer.alloc(300_000) },
    options: { memory: '2MiB' },
    says: 'detail=too-large',
    stored: false,
  },
  {
    name: 'a body that ends with its connection',
    plan: { headers: FRESH, body: 'who knows', untilClose: true },
    says: 'detail=length-unknown',
    stored: false,
  },
  {
    name: 'a chunked body',
    plan: { headers: FRESH, body: 'chunks', chunked: true },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'Authorization',
    plan: { headers: FRESH },
    headers: { authorization: 'Basic eDp5' },
    says: 'detail=authorization',
    stored: false,
  },
  {
    name: 'Authorization, public',
    plan: { headers: ['Cache-Control', 'public, max-age=60'] },
    headers: { authorization: 'Basic eDp5' },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'Authorization, s-maxage',
    plan: { headers: ['Cache-Control', 's-maxage=60'] },
    headers: { authorization: 'Basic eDp5' },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'Authorization, must-revalidate',
    plan: { headers: ['Cache-Control', 'max-age=60, must-revalidate'] },
    headers: { authorization: 'Basic eDp5' },
    says: 'ttl=60; stored',
    stored: true,
  },
  {
    name: 'Authorization under a default ttl',
    plan: {},
    options: { ttl: '1m' },
    headers: { authorization: 'Basic eDp5' },
    says: 'detail=authorization',
    stored: false,
  },
]

describe('what is stored', () => {
  test.each(cases)('$name: $says', async ({ plan, options, headers, says, stored }) => {
    await using it = await bed(options)
    const status = plan.status ?? 200
    const body = status === 204 ? '' : (plan.body ?? 'a body')
    it.origin.on('/a', { ...plan, body })

    const first = await it.get('/a', headers)
    expect(first.cache).toBe(`fwd=uri-miss; fwd-status=${status}; ${says}`)
    expect(first.status).toBe(status)
    expect(first.body).toEqual(Buffer.from(body))

    const second = await it.get('/a', headers)
    expect(second.body).toEqual(Buffer.from(body))
    expect(second.status).toBe(status)
    expect(it.origin.count('/a')).toBe(stored ? 1 : 2)
    expect(second.cache.startsWith('hit')).toBe(stored)
    if (!stored) expect(second.cache).toContain(says)
  })

  test('an answer is replayed with the fields that it came with, duplicates and case kept', async () => {
    await using it = await bed()
    const headers = [
      'X-One',
      'a',
      'x-one',
      'b',
      'Content-Type',
      'text/x',
      'X-Latin',
      'caf\xe9',
      ...FRESH,
      'Date',
      NOW,
    ]
    it.origin.on('/a', { headers, body: 'x' })
    const first = await it.get('/a')
    const second = await it.get('/a')
    for (const reply of [first, second]) {
      expect(reply.raw.slice(0, headers.length)).toEqual(headers)
      expect(reply.headers['via']).toBe('1.1 drey')
      expect(reply.headers['content-length']).toBe('1')
    }
    expect(first.headers['age']).toBeUndefined()
    expect(second.headers['age']).toBe('0')
  })

  test('a disposition in UTF-8 comes through byte by byte', async () => {
    await using it = await bed()
    const bytes = Buffer.from('inline; filename="né.txt"').toString('latin1')
    it.origin.on('/a', { headers: ['Content-Disposition', bytes, ...FRESH], body: 'x' })
    expect((await it.get('/a')).headers['content-disposition']).toBe(bytes)
    expect((await it.get('/a')).headers['content-disposition']).toBe(bytes)
  })

  test('an answer without Date gets one, and keeps it', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, undated: true, body: 'x' })
    expect((await it.get('/a')).headers['date']).toBe(NOW)
    it.clock.advance(10_000)
    const later = await it.get('/a')
    expect(later.headers['date']).toBe(NOW)
    expect(later.headers['age']).toBe('10')
    expect(later.cache).toBe('hit; ttl=50')
  })

  test('the age of other caches counts on', async () => {
    await using it = await bed()
    it.origin.on('/a', {
      headers: [...FRESH, 'Age', '7', 'Cache-Status', 'other; hit', 'Via', '1.1 other'],
      body: 'x',
    })
    expect((await it.get('/a')).headers['age']).toBe('7')
    it.clock.advance(3000)
    const hit = await it.get('/a')
    expect(hit.headers['age']).toBe('10')
    expect(hit.headers['cache-status']).toBe('other; hit, drey; hit; ttl=50')
    expect(hit.headers['via']).toBe('1.1 other, 1.1 drey')
  })

  test('freshness ends, and the origin is asked again', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'x' })
    await it.get('/a')
    it.clock.advance(59_999)
    expect((await it.get('/a')).cache).toBe('hit; ttl=0')
    it.clock.advance(1)
    expect((await it.get('/a')).cache).toBe('fwd=stale; fwd-status=200; ttl=60; stored')
    expect(it.origin.count('/a')).toBe(2)
  })

  test('an answer from the future is not fresh', async () => {
    await using it = await bed()
    it.origin.on('/a', { headers: FRESH, body: 'x' })
    await it.get('/a')
    it.clock.jump(-1)
    expect((await it.get('/a')).cache).toMatch(/^fwd=request/)
  })

  test('what is fresh for ever says no ttl', async () => {
    const forever = Number.POSITIVE_INFINITY
    await using it = await bed({ ttl: forever, originTimeout: forever, clientTimeout: forever })
    it.origin.on('/a', { body: 'x' })
    expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; stored')
    expect((await it.get('/a')).cache).toBe('hit')
  })

  test('query strings are part of the key, and so is the host', async () => {
    await using it = await bed()
    for (const path of ['/a', '/a?', '/a?x=1', '/a?x=2', '/A', '//a']) {
      it.origin.on(path, { headers: FRESH, body: path })
      expect((await it.get(path)).text).toBe(path)
      expect((await it.get(path)).cache).toMatch(/^hit/)
      expect(it.origin.count(path)).toBe(1)
    }
    expect((await it.get('/a', { host: 'other.example' })).cache).toMatch(/^fwd=uri-miss/)
    expect((await it.get('/a', { host: 'OTHER.example' })).cache).toMatch(/^hit/)
  })

  test('a remembered refusal is given up as soon as the origin changes its mind', async () => {
    await using it = await bed()
    let headers: readonly string[] = ['Cache-Control', 'no-store']
    it.origin.on('/a', () => ({ headers, body: 'x' }))
    expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; detail=no-store')
    headers = FRESH
    expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; detail=not-stored-before')
    expect((await it.get('/a')).cache).toBe('fwd=uri-miss; fwd-status=200; ttl=60; stored')
    expect((await it.get('/a')).cache).toBe('hit; ttl=60')
  })
})

test('an entry that its owner put into the cache is none of the proxy’s', async () => {
  await using it = await bed()
  it.origin.on('/a', { headers: FRESH, body: 'from the origin' })
  await it.proxy.cache.set('/a h', 'strange')
  expect((await it.get('/a', { host: 'h' })).text).toBe('from the origin')
  expect((await it.get('/a', { host: 'h' }, { method: 'HEAD' })).cache).toMatch(/^fwd=uri-miss/)
})

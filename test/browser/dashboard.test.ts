import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createProxy } from '../../lib/http/proxy.js'
import { fakeOrigin } from '../helpers/origin.js'
import { type Complaints, complaintsOf, launch, missing, picture } from './chromium.js'
import { type Scene, scene } from './scene.js'

if (missing !== undefined) console.warn(`the tests of the dashboard are skipped: ${missing}`)

const COLOURS = { ok: 'rgb(0, 255, 0)', degraded: 'rgb(255, 165, 0)', failing: 'rgb(255, 0, 0)' }

describe.skipIf(missing !== undefined)('the dashboard in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  interface Look extends AsyncDisposable {
    readonly page: Page
    readonly complaints: Complaints
  }

  async function look(url: string, width = 1280): Promise<Look> {
    const context = await browser.newContext({ viewport: { width, height: 900 }, reducedMotion: 'reduce' })
    const page = await context.newPage()
    const complaints = complaintsOf(page, new URL(url).origin)
    await page.goto(url)
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
  }

  const isLive = (page: Page): Promise<unknown> => page.getByText(/^live · pid \d+/).waitFor()

  /** The level in its word and its colour, and the alerts with theirs. */
  async function statusOf(page: Page, level: keyof typeof COLOURS): Promise<string[]> {
    await page.locator(`#status[data-level=${level}]`).waitFor()
    const headline = page.locator('#level')
    expect((await headline.textContent())!.toLowerCase()).toContain(level)
    expect(await headline.evaluate((element) => getComputedStyle(element).color)).toBe(COLOURS[level])
    return page.locator('#alerts li').allTextContents()
  }

  async function windows(one: Scene, count: number): Promise<void> {
    await one.seconds(10 * count)
  }

  test('loads and goes on by itself, with nothing from elsewhere and no complaint', async () => {
    await using one = await scene()
    await windows(one, 2)
    await using view = await look(one.url)
    const { page, complaints } = view
    await isLive(page)
    const answers = page.locator('#figures dd').first()
    await page.waitForFunction(() => document.querySelectorAll('.uplot canvas').length === 8)
    const before = await answers.textContent()
    await one.seconds(45)
    await page.waitForFunction(([was]) => document.querySelector('#figures dd')?.textContent !== was, [
      before,
    ] as const)
    expect(await answers.textContent()).toMatch(/^1\d(?:\.\d)?\/s\d+ in all$/)
    expect(await page.title()).toBe('● OK · shop · drey')
    expect(await statusOf(page, 'ok')).toEqual([])
    // What keys are made of is shown, and is nothing else.
    expect(await page.locator('[aria-label="Top keys, sampled"] tbody tr').first().textContent()).toContain(
      '<img src=x',
    )
    expect(await page.locator('img').count()).toBe(0)
    const tiers = await page.locator('[aria-label="Tiers and their policies"]').textContent()
    expect(tiers).toMatch(/memory.*in use.*s3-fifo.*file.*in use/s)
    const chart = page.locator('.plot').first()
    expect(await chart.getAttribute('aria-label')).toMatch(/^Throughput: answers 1\d(?:\.\d)?\/s, fills /)
    await picture(page, 'ok')
    expect(complaints.all).toEqual([])
  })

  test('alerts turn amber, red and green again with the fault that is injected', async () => {
    await using one = await scene()
    await windows(one, 3)
    await using view = await look(one.url)
    const { page, complaints } = view
    await isLive(page)
    expect(await statusOf(page, 'ok')).toEqual([])
    one.failing = 0.1
    await windows(one, 4)
    expect(await statusOf(page, 'degraded')).toEqual([
      expect.stringMatching(/^AMBER errors.* % of calls fail/),
    ])
    await picture(page, 'amber', false)
    one.failing = 0.9
    await windows(one, 4)
    expect(await statusOf(page, 'failing')).toEqual([
      expect.stringMatching(/^RED · FAILING errors.* % of calls fail/),
    ])
    expect(await page.title()).toBe('■ FAILING · shop · drey')
    await picture(page, 'red', false)
    one.failing = 0
    await windows(one, 7)
    expect(await statusOf(page, 'ok')).toEqual([])
    await picture(page, 'green-again', false)
    expect(complaints.all).toEqual([])
  })

  test('survives a restart of the server, and says so meanwhile', async () => {
    await using one = await scene()
    await windows(one, 1)
    await using view = await look(one.url)
    const { page, complaints } = view
    await isLive(page)
    await one.stop()
    await page.getByText(/^disconnected: no answer, trying again · as of /).waitFor()
    await picture(page, 'disconnected', false)
    await one.start()
    await isLive(page)
    await one.seconds(2)
    await page.locator('#figures dd', { hasText: /^[1-9][\d.]*\/s/ }).waitFor()
    // The browser itself says that nobody answered.
    for (const text of complaints.all)
      expect(text).toMatch(
        /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/,
      )
  })

  test('is walked through by keyboard, and the focus is seen', async () => {
    await using one = await scene()
    await windows(one, 8)
    await using view = await look(one.url)
    const { page, complaints } = view
    await isLive(page)
    await page.locator('.plot').nth(7).waitFor()
    const focused = (): Promise<readonly [name: string, outline: string]> =>
      page.evaluate(() => {
        const element = document.activeElement!
        const name = element.getAttribute('aria-label') ?? element.textContent ?? ''
        return [name.split(':')[0]!, getComputedStyle(element).outlineStyle] as const
      })
    const walked: string[] = []
    for (let step = 0; step < 14; step += 1) {
      await page.keyboard.press('Tab')
      const [name, outline] = await focused()
      expect(outline, name).toBe('solid')
      walked.push(name)
    }
    expect(walked).toEqual([
      'Skip to the charts',
      ...['1 min', '10 min', '1 h', '1 day', '30 d'],
      ...['Throughput', 'Hit ratio by tier', 'Latency by size, median', 'Latency by size, 99th percentile'],
      ...['Memory and disk, of their bounds', 'Bytes', 'Fills in flight', 'Pressure and errors'],
    ])
    const pressed = (): Promise<string[]> => page.locator('button[aria-pressed=true]').allTextContents()
    expect(await pressed()).toEqual(['1 min'])
    await page.keyboard.press('2')
    expect(await pressed()).toEqual(['10 min'])
    await picture(page, 'ten-minutes')
    await page.getByRole('button', { name: '1 day' }).focus()
    await page.keyboard.press('Enter')
    expect(await pressed()).toEqual(['1 day'])
    await page.keyboard.press('1')
    const throughput = page.locator('figure', { hasText: 'Throughput' })
    await throughput.locator('.plot').focus()
    const time = throughput.locator('time')
    expect(await time.textContent()).toBe('')
    await page.keyboard.press('ArrowLeft')
    const newest = await time.textContent()
    await page.keyboard.press('ArrowLeft')
    const before = await time.textContent()
    expect([newest, before]).toEqual([
      expect.stringMatching(/\d\d:\d\d:\d\d/),
      expect.stringMatching(/\d\d:\d\d:\d\d/),
    ])
    expect(before).not.toBe(newest)
    await page.keyboard.press('ArrowRight')
    expect(await time.textContent()).toBe(newest)
    await page.keyboard.press('Escape')
    expect(await time.textContent()).toBe('')
    await page.reload()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('charts')
    expect(complaints.all).toEqual([])
  })

  test.each([true, false])('fits a screen of 375 pixels; with a disk: %s', async (disk) => {
    await using one = await scene({ disk })
    await windows(one, 2)
    one.failing = 0.2
    await windows(one, 3)
    await using view = await look(one.url, 375)
    const { page, complaints } = view
    await isLive(page)
    await one.seconds(20)
    await statusOf(page, 'degraded')
    const wider = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement
      const inner = [...document.querySelectorAll('.scroll')].filter(
        (one) => one.scrollWidth > one.clientWidth,
      )
      return [scrollWidth - clientWidth, inner.length]
    })
    expect(wider).toEqual([0, 0])
    const small = await page.evaluate(
      () =>
        [...document.querySelectorAll('button')].filter((one) => one.getBoundingClientRect().height < 44)
          .length,
    )
    expect(small).toBe(0)
    const tiers = page.locator('[aria-label="Tiers and their policies"]')
    if (!disk) {
      expect(await tiers.textContent()).toContain('no disk tier')
      expect(await page.locator('#figures').textContent()).toContain('no disk tier')
    }
    await picture(page, disk ? 'phone' : 'phone-no-disk')
    expect(complaints.all).toEqual([])
  })

  test('goes back for days', async () => {
    const days = Number(process.env['DREY_BROWSER_DAYS'] ?? 1.5)
    await using one = await scene({ disk: false, begin: Date.now() - days * 86_400_000 })
    // A few calls in each window, then some minutes by the second.
    for (let window = 0; window < days * 144; window += 1) {
      for (let i = 0; i < 2 + (window % 144) / 12; i += 1) one.cache.getSync(`key ${i}`)
      if (window % 3 === 0) await one.cache.set(`key ${window % 12}`, 'value', { ttl: 3_600_000 })
      one.clock.advance(600_000)
    }
    await windows(one, 7)
    await using view = await look(one.url)
    const { page, complaints } = view
    await isLive(page)
    for (const [key, name] of [
      ['4', 'day'],
      ['5', 'month'],
    ] as const) {
      await page.keyboard.press(key)
      await picture(page, name)
    }
    const throughput = page.locator('figure', { hasText: 'Throughput' })
    await throughput.locator('.plot').focus()
    await page.keyboard.press('Home')
    const first = await throughput.locator('time').textContent()
    expect(first).toMatch(/\d+\/\d+\/\d+/)
    expect(complaints.all).toEqual([])
  })

  test('asks for the token on the admin listener, and for no more', async () => {
    const token = 'a-token-of-some-length'
    const origin = await fakeOrigin()
    const proxy = await createProxy({ origin: origin.url, memory: '8MiB', admin: 0, adminToken: token })
    try {
      await proxy.listen()
      await using view = await look(`${proxy.adminAddress}/`)
      const { page, complaints } = view
      expect(new URL(page.url()).pathname).toBe('/dashboard')
      const field = page.getByLabel('Token')
      expect(await field.evaluate((element) => element === document.activeElement)).toBe(true)
      await page.keyboard.type('not the token')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').waitFor()
      await picture(page, 'login', false)
      await page.keyboard.type(token)
      await page.keyboard.press('Enter')
      await isLive(page)
      expect(await page.evaluate(() => document.cookie)).toBe('')
      await page.reload()
      await isLive(page)
      // The browser itself says of the first two pages that they were no pages.
      for (const text of complaints.all.splice(0)) expect(text).toContain('status of 401')
    } finally {
      await proxy.close()
      await origin.stop()
    }
  })
})

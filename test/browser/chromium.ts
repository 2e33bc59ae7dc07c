import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'

/** Debian's, unless another is named. */
const EXECUTABLE = process.env['DREY_CHROMIUM'] ?? '/usr/bin/chromium'

/** Where pictures are left: `DREY_SCREENSHOTS`, else beside this file, where git does not look. */
const SCREENSHOTS =
  process.env['DREY_SCREENSHOTS'] ?? fileURLToPath(new URL('./screenshots', import.meta.url))

/** Why there is no browser; undefined when there is one. */
export const missing = existsSync(EXECUTABLE)
  ? undefined
  : `there is no browser at ${EXECUTABLE}: apt-get install chromium, or name one in DREY_CHROMIUM`

export function launch(): Promise<Browser> {
  // As root there is no sandbox; what is loaded is ours.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath: EXECUTABLE, args })
}

export async function picture(page: Page, name: string, fullPage = true): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage })
}

/** What a page complained of, and where else than at `origin` it asked. */
export interface Complaints {
  readonly all: string[]
}

export function complaintsOf(page: Page, origin: string): Complaints {
  const all: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') all.push(message.text())
  })
  page.on('pageerror', (error) => all.push(String(error)))
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !url.startsWith('data:')) all.push(`it asked for ${url}`)
  })
  return { all }
}

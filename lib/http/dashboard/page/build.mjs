/*
 * Makes one file of the page: dist/dashboard.html, which needs nothing from anywhere else. A part of `npm run build:ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const here = dirname(fileURLToPath(import.meta.url))
const uplot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))

/** In the order in which they count. */
const STYLES = ['base', 'status', 'charts', 'panels', 'screens']

const read = (...path) => readFileSync(join(...path), 'utf8')

const bundle = await rolldown({ input: join(here, 'main.ts'), logLevel: 'warn' })
const { output } = await bundle.generate({ format: 'iife', minify: true, comments: { legal: false } })
await bundle.close()

const [{ code }, ...more] = output
if (more.length > 0) throw new Error(`one file was to be made; there are ${more.length + 1}`)
// What ends the element may be in a string or a comment of the script.
const script = code.trim().replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
const styles = STYLES.map((name) => read(here, 'style', `${name}.css`))
const style = [read(uplot, 'dist/uPlot.min.css'), ...styles].map((text) => text.trim()).join('\n')
const { version } = JSON.parse(read(uplot, 'package.json'))
const licence = `uPlot ${version}, which is in this file, has this licence:\n\n${read(uplot, 'LICENSE').trim()}`

// As functions: a replacement text has meanings of its own for `$`.
const html = read(here, 'page.html')
  .replace('<!-- licence -->', () => `<!--\n${licence}\n-->`)
  .replace('<!-- style -->', () => `<style>${style}</style>`)
  .replace('<!-- script -->', () => `<script>${script}</script>`)
writeFileSync(join(here, '../../../../dist/dashboard.html'), html)

import { showMachine } from '../shared/machine.mjs'
import { medianOf, ratioOf } from '../shared/record.mjs'
import { digits } from '../shared/table.mjs'
import { showRatio } from './markdown.mjs'

/*
 * Figures as one page that needs nothing else: bars for the contestants of each figure, as long as they are good or bad by its unit, and the
 * pictures of hit ratios.
 */

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1b1b1b, #e6e6e6); --dim: light-dark(#666, #999); --rule: light-dark(#ddd, #333);
  --ours: light-dark(#00784a, #3ddc97); --other: light-dark(#b9c4cc, #55616b); --missed: light-dark(#b35900, #ffb454) }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink) }
h1 { font-size: 1.5rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--rule) } h3 { margin: 1.5rem 0 .25rem; font-size: 1rem }
p, figcaption { color: var(--dim) } nav a { margin-right: 1em } a { color: inherit }
table { border-collapse: collapse; width: 100% } td, th { padding: .2rem .6rem .2rem 0; text-align: left; border-bottom: 1px solid var(--rule); vertical-align: top }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1.5rem } figure { margin: 0 }
.bar { display: grid; grid-template-columns: 12rem 1fr 5rem; gap: .5rem; align-items: center; font-size: .85rem }
.bar span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap } .bar span:last-child { text-align: right; font-variant-numeric: tabular-nums }
.bar i { display: block; height: .8rem; background: var(--other); border-radius: 2px } .bar i.ours { background: var(--ours) }
.missed { color: var(--missed) } img { max-width: 100%; background: #fff }
@media (max-width: 30rem) { .bar { grid-template-columns: 8rem 1fr 4rem } .figures { grid-template-columns: 1fr } }
`

const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`)

/**
 * @param {{ machine: object, quick: boolean, at: string, suites: readonly object[] }} report
 * @param {ReadonlyArray<{ name: string, svg: string }>} pictures
 */
export function pageOf({ machine, quick, at, suites }, pictures) {
  const title = `drey: figures of ${at.slice(0, 10)}${quick ? ', quick' : ''}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(title)}</h1>
<p>${escaped(showMachine(machine))}. Contestants take turns in one run; bars are medians, and drey's are green. Shorter is better where the unit is one of time or memory.</p>
<nav>${suites.map(({ name }) => `<a href="#${name}">${name}</a>`).join('')}${pictures.length > 0 ? '<a href="#hit-ratios">hit ratios</a>' : ''}</nav>
<h2>Goals</h2>${goalsOf(suites.flatMap(({ records }) => records))}
${suites.map(sectionOf).join('\n')}
${picturesOf(pictures)}
</body></html>
`
}

function goalsOf(records) {
  const rows = records.flatMap((record) =>
    record.ratios
      .filter(({ goal }) => goal !== undefined)
      .map(({ of, goal }) => {
        const reached = ratioOf(record, of).value >= goal
        return `<tr><td>${escaped(record.what)}</td><td>${escaped(of.join(' ÷ '))}</td><td>${escaped(showRatio(record, of))}</td><td>${goal} ×</td><td${reached ? '' : ' class="missed"'}>${reached ? 'reached' : 'missed'}</td></tr>`
      }),
  )
  return `<table><tr><th>what</th><th>ratio</th><th>found</th><th>goal</th><th></th></tr>${rows.join('')}</table>`
}

function sectionOf({ name, command, failed, records }) {
  const body =
    failed === undefined
      ? `<div class="figures">${records.map(figureOf).join('')}</div>`
      : `<p class="missed">failed: ${escaped(failed)}</p>`
  return `<section id="${name}"><h2>${escaped(name)}</h2><p><code>${escaped(command)}</code></p>${body}</section>`
}

const isOurs = (name) => /\b(?:drey|native|js|pool|cache|fetch|sampled)\b/.test(name)

function figureOf(record) {
  const values = Object.keys(record.samples).map((name) => ({ name, value: medianOf(record, name) }))
  const most = Math.max(...values.map(({ value }) => value))
  const bars = values.map(
    ({ name, value }) =>
      `<div class="bar"><span title="${escaped(name)}">${escaped(name)}</span><i${isOurs(name) ? ' class="ours"' : ''} style="width:${Math.max(0.5, (100 * value) / most).toFixed(1)}%"></i><span>${digits(value)}</span></div>`,
  )
  return `<figure><h3>${escaped(record.what)}</h3><figcaption>${escaped(record.unit)}, ${record.better} is better</figcaption>${bars.join('')}</figure>`
}

function picturesOf(pictures) {
  if (pictures.length === 0) return ''
  const images = pictures.map(
    ({ name, svg }) =>
      `<figure><img alt="hit ratio of each policy over the size of the cache, trace ${escaped(name)}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}"></figure>`,
  )
  return `<section id="hit-ratios"><h2>hit ratios</h2><div class="figures" style="grid-template-columns:1fr">${images.join('')}</div></section>`
}

/*
 * A picture of hit ratios over the size of the cache: one SVG file that needs nothing else.
 */

const WIDTH = 860
const HEIGHT = 480
const LEFT = 64
const RIGHT = 150
const TOP = 52
const BOTTOM = 62

/** Told apart by eyes that see few colours too, and by their dashes. */
const STYLES = {
  lru: ['#0072b2', ''],
  lfu: ['#cc79a7', '2 4'],
  fifo: ['#7f7f7f', '6 3'],
  sieve: ['#e69f00', ''],
  's3-fifo': ['#d55e00', ''],
  'w-tinylfu': ['#009e73', ''],
  limit: ['#000000', '1 4'],
}

const forXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Round values, some five of them, that reach from 0 to `most` and beyond. */
function ticks(most) {
  const step = [1, 2, 5, 10, 20].find((candidate) => most / candidate <= 6) ?? 20
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step)
}

/**
 * @param {{ title: string, unit: string, sizes: ReadonlyArray<{ label: string }>, lines: ReadonlyArray<{
 * name: string, hits: readonly number[] }> }} picture
 *   hits in percent, one for each size
 * @returns {string} the SVG file
 */
export function draw({ title, unit, sizes, lines }) {
  const levels = ticks(Math.max(1, ...lines.flatMap(({ hits }) => hits)))
  const top = levels.at(-1)
  const x = (at) => LEFT + (at * (WIDTH - LEFT - RIGHT)) / Math.max(1, sizes.length - 1)
  const y = (percent) => HEIGHT - BOTTOM - (percent * (HEIGHT - TOP - BOTTOM)) / top
  const points = (hits) => hits.map((percent, at) => `${x(at).toFixed(1)},${y(percent).toFixed(1)}`).join(' ')

  const grid = levels.map(
    (level) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(level).toFixed(1)}" y2="${y(level).toFixed(1)}" stroke="#ddd"/>` +
      `<text x="${LEFT - 8}" y="${(y(level) + 4).toFixed(1)}" text-anchor="end">${level}</text>`,
  )
  const columns = sizes.map(
    ({ label }, at) =>
      `<text x="${x(at).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${forXml(label)}</text>`,
  )
  const curves = lines.map(({ name, hits }) => {
    const [colour, dashes] = STYLES[name]
    const dots = hits.map(
      (percent, at) =>
        `<circle cx="${x(at).toFixed(1)}" cy="${y(percent).toFixed(1)}" r="2.5" fill="${colour}"/>`,
    )
    return `<polyline points="${points(hits)}" fill="none" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}"/>${dots.join('')}`
  })
  // Names at the ends of their curves, in the same order, moved apart where they would overlap.
  const ends = lines.map(({ name, hits }) => ({ name, at: y(hits.at(-1)) })).sort((a, b) => a.at - b.at)
  for (let at = 1; at < ends.length; at += 1) ends[at].at = Math.max(ends[at].at, ends[at - 1].at + 16)
  const over = Math.max(0, (ends.at(-1)?.at ?? 0) - (HEIGHT - BOTTOM))
  const names = ends.map(({ name, at }) => {
    const [colour, dashes] = STYLES[name]
    const middle = (at - over).toFixed(1)
    return (
      `<line x1="${WIDTH - RIGHT + 12}" x2="${WIDTH - RIGHT + 36}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}"/>` +
      `<text x="${WIDTH - RIGHT + 42}" y="${(at - over + 4).toFixed(1)}">${name}</text>`
    )
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="28" font-size="17" font-weight="600">${forXml(title)}</text>`,
    `<text x="${LEFT}" y="${HEIGHT - 14}">size of the cache, ${forXml(unit)}</text>`,
    `<text transform="translate(18 ${HEIGHT - BOTTOM}) rotate(-90)">hits, percent of requests</text>`,
    ...grid,
    ...columns,
    ...curves,
    ...names,
    '</svg>',
    '',
  ].join('\n')
}

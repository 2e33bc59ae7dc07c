/*
 * Small pictures that need no style of their own, which the page's policy would not let them have.
 */

const SPACE = 'http://www.w3.org/2000/svg'

function shape(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SPACE, name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  return made
}

function picture(attributes: Readonly<Record<string, string>>, ...shapes: readonly SVGElement[]): SVGElement {
  const made = shape('svg', { 'aria-hidden': 'true', ...attributes })
  made.append(...shapes)
  return made
}

/** How a line of a chart looks. */
export function swatch(stroke: string, dash: readonly number[]): SVGElement {
  const line = { x1: '0', y1: '4', x2: '22', y2: '4', stroke, 'stroke-width': '2.5' }
  return picture(
    { viewBox: '0 0 22 8' },
    shape('line', dash.length === 0 ? line : { ...line, 'stroke-dasharray': dash.join(' ') }),
  )
}

/** A bar that is full to that part, in the colour of the text. */
export function bar(part: number): SVGElement {
  const width = `${(Math.min(1, Math.max(0, part)) * 100).toFixed(1)}%`
  return picture({ class: 'share' }, shape('rect', { x: '0', y: '0', height: '100%', width }))
}

/** The icon of the browser's tab. */
export function icon(fill: string): string {
  const svg = `<svg xmlns="${SPACE}" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${fill}"/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

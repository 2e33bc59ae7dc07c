import uPlot from 'uplot'
import type { Line } from '../messages.js'
import { el } from './dom.js'
import { type Figure, moment } from './format.js'
import { type ChartSpec, STYLES } from './series.js'
import { swatch } from './svg.js'

const HEIGHT = 190
const FONT = '11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace'
const AXIS = { stroke: '#8a968a', font: FONT, ticks: { show: false } } as const
const GRID = { stroke: '#162016', width: 1 }

/** Lines side by side: times first, then of each line of the chart its values. */
type Data = [number[], ...(number | null)[][]]

/**
 * One chart with its caption, and a legend that has the values as text: those of the newest point, or of the one that is pointed at, by the mouse or with
 * the arrow keys.
 */
export class Chart {
  readonly element: HTMLElement
  readonly #spec: ChartSpec
  readonly #columns: readonly number[]
  readonly #plot: uPlot
  readonly #box: HTMLElement
  readonly #values: readonly HTMLElement[]
  readonly #at = el('time')
  readonly #legend: HTMLElement
  readonly #empty: HTMLElement
  #data: Data
  /** The time that the arrow keys have gone to. */
  #pinned: number | undefined

  /** @param columns names of a line's figures, the first after the time */
  constructor(spec: ChartSpec, columns: readonly string[], place: HTMLElement) {
    this.#spec = spec
    this.#columns = spec.series.map(({ column }) => columns.indexOf(column) + 1)
    this.#data = [[], ...spec.series.map(() => [])]
    this.#values = spec.series.map(() => el('b'))
    this.#legend = el(
      'ul',
      { class: 'legend' },
      ...spec.series.map(({ label }, at) =>
        el('li', {}, swatch(styleOf(at).stroke, styleOf(at).dash), `${label} `, this.#values[at]!),
      ),
    )
    this.#empty = el('p', { class: 'empty' }, spec.empty)
    this.#box = el('div', { class: 'plot', tabindex: '0', role: 'img' }, this.#empty)
    this.element = el(
      'figure',
      {},
      el('figcaption', {}, el('h3', {}, spec.title), this.#at),
      this.#legend,
      this.#box,
    )
    place.append(this.element)
    this.#plot = new uPlot(this.#options(), this.#data, this.#box)
    this.#box.addEventListener('keydown', (event) => this.#onKey(event))
    this.#box.addEventListener('blur', () => this.#unpin())
    new ResizeObserver(() => this.#fit()).observe(this.#box)
  }

  /** @param span of the times that are shown, in seconds; undefined for those that there are */
  show(lines: readonly Line[], span: number | undefined): void {
    const times = lines.map((line) => line[0]!)
    this.#data = [times, ...this.#columns.map((column) => lines.map((line) => line[column] ?? null))]
    const newest = times.at(-1)
    this.#plot.batch(() => {
      this.#plot.setData(this.#data, false)
      if (newest === undefined) return
      const first = span === undefined ? times[0]! : newest - span
      this.#plot.setScale('x', { min: first === newest ? newest - 1 : first, max: newest })
    })
    this.#empty.hidden = this.#data.slice(1).some((values) => values.some((value) => value !== null))
    if (this.#pinned !== undefined) this.#point(this.#nearest(this.#pinned))
    else this.#tell(this.#plot.cursor.idx)
  }

  #options(): uPlot.Options {
    const { series, scale } = this.#spec
    const mark = marksOf(this.#spec)
    return {
      width: Math.max(120, this.#box.clientWidth),
      height: HEIGHT,
      padding: [10, 22, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, sync: { key: 'drey' }, points: { size: 6 }, y: false },
      scales: { x: { time: true }, y: scaleOf(scale) },
      axes: [
        { ...AXIS, grid: GRID, values: timesOfDay, size: 28, space: 70 },
        {
          ...AXIS,
          grid: GRID,
          size: scale === 'bytes' ? 78 : 60,
          values: (_, splits) => splits.map((value) => (value === null ? '' : mark(value))),
          ...(scale === 'bytes' ? { incrs: BINARY } : {}),
        },
      ],
      series: [
        {},
        ...series.map(
          ({ label }, at): uPlot.Series => ({
            label,
            stroke: styleOf(at).stroke,
            width: 1.75,
            dash: [...styleOf(at).dash],
            points: { size: 5, space: 24, fill: styleOf(at).stroke, filter: alone },
            ...(at === 0 && scale !== 'log' ? { fill: 'rgb(0 255 0 / 7%)' } : {}),
          }),
        ),
      ],
      hooks: { setCursor: [(plot) => this.#tell(plot.cursor.idx)] },
    }
  }

  /** Says the values at that point, or the newest. */
  #tell(index: number | null | undefined): void {
    const [times, ...values] = this.#data
    const isPast = typeof index === 'number' && index < times.length
    const at = isPast ? index : times.length - 1
    const said: string[] = []
    for (const [place, element] of this.#values.entries()) {
      const text = this.#spec.format(values[place]![at] as Figure)
      if (element.textContent !== text) element.textContent = text
      said.push(`${this.#spec.series[place]!.label} ${text}`)
    }
    const when = isPast && times[at] !== undefined ? moment(times[at] * 1000) : ''
    if (this.#at.textContent !== when) this.#at.textContent = when
    const label = `${this.#spec.title}: ${said.join(', ')}`
    if (this.#box.getAttribute('aria-label') !== label) this.#box.setAttribute('aria-label', label)
  }

  #onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const last = this.#data[0].length - 1
    const from = this.#pinned === undefined ? last + 1 : this.#nearest(this.#pinned)
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key]
    if (event.key === 'Escape') this.#unpin()
    if (to === undefined || last < 0) return
    event.preventDefault()
    // Now it is asked for: what reads pages aloud says each point.
    this.#legend.setAttribute('aria-live', 'polite')
    this.#point(Math.min(last, Math.max(0, to)))
  }

  #point(index: number): void {
    const time = this.#data[0][index]
    if (time === undefined) return
    this.#pinned = time
    this.#plot.setCursor({ left: this.#plot.valToPos(time, 'x'), top: 0 })
    this.#tell(index)
  }

  #unpin(): void {
    if (this.#pinned === undefined) return
    this.#pinned = undefined
    this.#legend.removeAttribute('aria-live')
    this.#plot.setCursor({ left: -10, top: -10 })
  }

  #nearest(time: number): number {
    const [times] = this.#data
    let nearest = 0
    for (const [index, one] of times.entries()) {
      if (Math.abs(one - time) <= Math.abs(times[nearest]! - time)) nearest = index
    }
    return nearest
  }

  #fit(): void {
    const width = this.#box.clientWidth
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT })
  }
}

function styleOf(at: number): (typeof STYLES)[number] {
  return STYLES[at % STYLES.length]!
}

function scaleOf(scale: ChartSpec['scale']): uPlot.Scale {
  switch (scale) {
    case 'ratio':
      return { range: [0, 1] }
    case 'log':
      return {
        distr: 3,
        range: (_, min, max) => (min === null || min <= 0 ? [0.01, 10] : uPlot.rangeLog(min, max, 10, true)),
      }
    case 'count':
    case 'bytes':
      return { range: (_, __, max) => [0, max === null || max <= 0 ? 1 : max * 1.12] }
  }
}

/** What lies between two marks at the side. */
const BINARY = Array.from({ length: 50 }, (_, exponent) => 2 ** exponent)

/** A share at the side is a round one. */
function marksOf({ scale, format }: ChartSpec): ChartSpec['format'] {
  return scale === 'ratio' ? (value) => `${Math.round((value ?? 0) * 100)} %` : format
}

/** Points that have no neighbour, which no line would show; all where there is room. */
function alone(plot: uPlot, series: number, show: boolean): number[] | null {
  if (show) return null
  const values = plot.data[series]!
  const found: number[] = []
  for (const [index, value] of values.entries()) {
    const isAlone = (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null
    if (value !== null && isAlone) found.push(index)
  }
  return found
}

/** Seconds where a minute is shown, days where many are. */
function timesOfDay(_: uPlot, splits: readonly number[], __: number, ___: number, step: number): string[] {
  const two = (value: number): string => String(value).padStart(2, '0')
  return splits.map((split) => {
    const at = new Date(split * 1000)
    const time = `${two(at.getHours())}:${two(at.getMinutes())}`
    if (step < 60) return `${time}:${two(at.getSeconds())}`
    if (step < 86_400) return time
    return `${at.getMonth() + 1}/${at.getDate()}`
  })
}

import { type DashboardState, type HistoryMessage, LIVE_MS, type Line } from '../messages.js'
import { Chart } from './chart.js'
import { listen } from './connection.js'
import { byId, setText } from './dom.js'
import { showPanels } from './panels.js'
import { chartsOf } from './series.js'
import { figuresOf, showConnection, showFigures, showStatus } from './status.js'
import { type Choice, linesOf, windowButtons } from './windows.js'

/*
 * The page: what comes from the server is kept as it is, and shown.
 */

let title = ''
let columns: readonly string[] = []
let lines: Record<Choice, readonly Line[]> = { live: [], '10min': [], '1h': [], '1d': [], '30d': [] }
let charts: readonly Chart[] = []
/** What the charts were made for: a server that was configured anew may have other tiers. */
let made = ''
let choice: Choice = 'live'
let state: DashboardState | undefined
let problem: string | undefined

function drawCharts(): void {
  if (document.hidden) return
  const { lines: chosen, span } = linesOf(choice, lines)
  for (const chart of charts) chart.show(chosen, span)
}

function showState(next: DashboardState): void {
  state = next
  showStatus(next, title)
  showFigures(next, figuresOf(columns, lines.live.at(-1)))
  showPanels(next)
  showConnection(problem, state)
}

/** After a restart of the server the page remembers what that does not. */
function joined(before: readonly Line[], now: readonly Line[]): readonly Line[] {
  const first = now[0]?.[0] ?? Number.POSITIVE_INFINITY
  const newest = now.at(-1)?.[0] ?? before.at(-1)?.[0] ?? 0
  const known = before.filter(([at]) => at! < first!)
  return [...known, ...now].filter(([at]) => at! >= newest! - LIVE_MS / 1000)
}

function makeCharts(message: HistoryMessage): void {
  const { tiers, sizes } = message
  const key = JSON.stringify([message.columns, tiers, sizes])
  if (key === made) return
  made = key
  columns = message.columns
  lines.live = []
  const place = byId('plots')
  place.replaceChildren()
  charts = chartsOf({ tiers, sizes }).map((spec) => new Chart(spec, columns, place))
}

windowButtons((chosen) => {
  choice = chosen
  drawCharts()
})
document.addEventListener('visibilitychange', drawCharts)

listen(`${location.pathname.replace(/\/+$/, '')}/events`, {
  history(message) {
    problem = undefined
    title = message.title
    setText(byId('title'), title)
    makeCharts(message)
    lines = { live: joined(lines.live, message.live), ...message.windows }
    drawCharts()
    showState(message.state)
  },
  window({ name, lines: newer }) {
    lines[name] = newer
    if (choice !== 'live') drawCharts()
  },
  tick({ line, state: now }) {
    problem = undefined
    lines.live = joined(lines.live, [line])
    if (choice === 'live') drawCharts()
    showState(now)
  },
  trouble({ message }) {
    problem = `the numbers cannot be read: ${message}`
    showConnection(problem, state)
  },
  connection(now) {
    problem = now
    showConnection(problem, state)
  },
})

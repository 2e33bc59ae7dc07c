import { LIVE_MS, type Line, type WindowName } from '../messages.js'
import { byId, el } from './dom.js'

/** A window of time that can be looked at. */
export type Choice = 'live' | WindowName

const LABELS: ReadonlyMap<Choice, string> = new Map([
  ['live', '1 min'],
  ['10min', '10 min'],
  ['1h', '1 h'],
  ['1d', '1 day'],
  ['30d', '30 d'],
])

/** The finest first. */
const ORDER = [...LABELS.keys()]

/** Buttons for the windows, and the keys 1 to 5. `onChoice` is told of each choice. */
export function windowButtons(onChoice: (choice: Choice) => void): void {
  const buttons = new Map<Choice, HTMLButtonElement>()
  const choose = (choice: Choice): void => {
    for (const [of, button] of buttons) button.setAttribute('aria-pressed', String(of === choice))
    onChoice(choice)
  }
  for (const [choice, label] of LABELS) {
    const pressed = String(choice === 'live')
    const key = String(ORDER.indexOf(choice) + 1)
    const button = el('button', { type: 'button', 'aria-pressed': pressed, 'aria-keyshortcuts': key }, label)
    button.addEventListener('click', () => choose(choice))
    buttons.set(choice, button)
  }
  byId('windows').append(...buttons.values())
  document.addEventListener('keydown', ({ key, altKey, ctrlKey, metaKey }) => {
    const choice = /^[1-9]$/.test(key) ? ORDER[Number(key) - 1] : undefined
    if (choice !== undefined && !altKey && !ctrlKey && !metaKey) choose(choice)
  })
}

/** What is drawn for a choice: where so long a window has not ended twice yet, the course so far, of a finer one. */
export function linesOf(
  choice: Choice,
  lines: Readonly<Record<Choice, readonly Line[]>>,
): { readonly lines: readonly Line[]; readonly span: number | undefined } {
  if (choice === 'live') return { lines: lines.live, span: LIVE_MS / 1000 }
  for (let at = ORDER.indexOf(choice); at > 0; at -= 1) {
    const found = lines[ORDER[at]!]
    if (found.length >= 2) return { lines: found, span: undefined }
  }
  return { lines: lines.live, span: undefined }
}

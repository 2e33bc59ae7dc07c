/*
 * Making elements. Text is set as text alone: keys, names and messages come from strangers.
 */

type Child = Node | string

/** An element with attributes and children. A class is an attribute as others are. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** The element of the page with that id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** Sets the text, unless it is that already: what reads pages aloud tells of each change. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Where something is shown that is made anew when what it is made of is another. */
export class Slot<T> {
  readonly element: HTMLElement
  readonly #make: (from: T) => readonly Child[]
  #shown: string | undefined

  constructor(element: HTMLElement, make: (from: T) => readonly Child[]) {
    this.element = element
    this.#make = make
  }

  show(from: T): void {
    const now = JSON.stringify(from)
    if (now === this.#shown) return
    this.#shown = now
    this.element.replaceChildren(...this.#make(from))
  }
}

/*
 * Where JSON is wrong. `JSON.parse` says what, and not always where: this walks the same grammar to the first character that
 * does not belong there.
 */

/** A place in a text, both from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** The place of `offset` in `text`. */
export function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1 }
}

const SPACE = /[ \t\r\n]*/y
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const STRING_PART = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** Nobody writes options that deep, and the walk has a stack. */
const DEEPEST = 100

/** Offset of the first character of `text` that no JSON has there; its length when it ends too soon. Undefined when it is JSON. */
export function firstMistake(text: string): number | undefined {
  let at = 0
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  const is = (char: string): boolean => {
    take(SPACE)
    if (text[at] !== char) return false
    at += 1
    return true
  }
  const string = (): boolean => {
    take(SPACE)
    if (take(STRING)) return true
    take(STRING_PART)
    return false
  }
  const list = (end: string, member: () => boolean): boolean => {
    if (is(end)) return true
    do {
      if (!member()) return false
    } while (is(','))
    return is(end)
  }
  const value = (depth: number): boolean => {
    if (depth > DEEPEST) return false
    take(SPACE)
    if (text[at] === '"') return string()
    if (is('{')) return list('}', () => string() && is(':') && value(depth + 1))
    if (is('[')) return list(']', () => value(depth + 1))
    return take(PLAIN)
  }
  const whole = value(0)
  take(SPACE)
  return whole && at === text.length ? undefined : at
}

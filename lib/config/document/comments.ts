import type { Row } from '../rows.js'
import { defaultSentence } from './text.js'

/*
 * The doc comments of options, which editors show and declarations carry, are made of what the schema says: above each
 * `name: option('what it does', ...)` stands what it does, and its default.
 */

const OPTION =
  /^( +)(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n +)?(\w+): (option|required|group)\(\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/gm

/** Columns that a comment may take. */
const WIDTH = 150

/** `source` with the comments that its options are to have. @throws for an option that `rows` do not have */
export function withComments(source: string, rows: readonly Row[]): string {
  const sentences = new Map<string, string>()
  for (const { path, facts, default: value, group } of rows) {
    const name = path.slice(path.lastIndexOf('.') + 1)
    sentences.set(`${name} ${facts.about}`, group ? '' : defaultSentence(facts, value))
  }
  return source.replace(
    OPTION,
    (whole: string, indent: string, name: string, call: string, literal: string) => {
      const about = textOf(literal)
      const sentence = sentences.get(`${name} ${about}`)
      if (sentence === undefined) throw new Error(`no option ${name} says: ${about}`)
      const code = whole.slice(whole.lastIndexOf(`${name}: ${call}(`))
      return `${commentOf(`${about} ${sentence}`.trim(), indent)}${indent}${code}`
    },
  )
}

/** What a literal of text stands for. */
function textOf(literal: string): string {
  return literal.slice(1, -1).replace(/\\(.)/g, '$1')
}

function commentOf(text: string, indent: string): string {
  const line = `${indent}/** ${text} */`
  if (line.length <= WIDTH) return `${line}\n`
  const lines: string[] = []
  let current = `${indent} *`
  for (const word of text.split(' ')) {
    if (current.length + 1 + word.length > WIDTH) {
      lines.push(current)
      current = `${indent} *`
    }
    current += ` ${word}`
  }
  return [`${indent}/**`, ...lines, current, `${indent} */`, ''].join('\n')
}

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A block of code in a document that says of itself that it runs. */
export interface Example {
  readonly file: string
  /** Line of the document that the code begins at, counted from 1. */
  readonly line: number
  readonly language: 'js' | 'ts'
  readonly code: string
  /** What the lines print, by the comments behind `// →`, in their order. */
  readonly prints: readonly string[]
}

const BLOCK = /^```(js|ts) runnable\n([\s\S]*?)^```$/gm
const PRINTS = /\/\/ → (.*)$/gm

/** The runnable examples of one document. */
export function examplesOf(file: string, text: string): Example[] {
  return [...text.matchAll(BLOCK)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length + 1,
    language: match[1] as 'js' | 'ts',
    code: match[2]!,
    prints: [...match[2]!.matchAll(PRINTS)].map((print) => print[1]!.trimEnd()),
  }))
}

/** Those of README.md, and of all guides and reference pages below `root`. */
export function documentedExamples(root: string): Example[] {
  const pages = ['docs/guides', 'docs/reference'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => `${folder}/${name}`),
  )
  const files = [...pages, 'README.md']
  return files.flatMap((file) => {
    const text = textOf(join(root, file))
    return text === undefined ? [] : examplesOf(file, text)
  })
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // A document that is not there has no examples.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

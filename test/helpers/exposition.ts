/** One family of a text in the format of Prometheus. */
export interface ParsedFamily {
  readonly help: string
  readonly type: string
  readonly samples: ParsedSample[]
}

export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NONE: [string, ParsedFamily] = ['', { help: '', type: '', samples: [] }]
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/

/** What `text` says, line by line; throws for whatever is not of the format: a family that comes twice, a sample of none, a label that is not closed. */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, ParsedFamily>()
  const seen = new Set<string>()
  let current: [string, ParsedFamily] | undefined
  let help: [string, string] | undefined
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('# HELP ')) {
      const [, name = '', words = ''] = /^# HELP (\S+) (.+)$/.exec(line) ?? []
      help = [name, words]
    } else if (line.startsWith('# TYPE ')) {
      const [, name = '', type = ''] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? []
      if (help?.[0] !== name || families.has(name))
        throw new Error(`not the type of what was helped with: ${line}`)
      current = [name, { help: help[1], type, samples: [] }]
      families.set(...current)
    } else {
      const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? []
      const [family, { type, samples }] = current ?? NONE
      const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      if (!suffixes.some((suffix) => name === family + suffix)) throw new Error(`of no family: ${line}`)
      if (seen.has(`${name}{${labels}}`)) throw new Error(`twice: ${line}`)
      seen.add(`${name}{${labels}}`)
      samples.push({ name, labels: parseLabels(labels), value: Number(value.replace('Inf', 'Infinity')) })
    }
  }
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let left = text; left !== ''; ) {
    const [whole, name, value] = LABEL.exec(left) ?? []
    if (whole === undefined || name === undefined || value === undefined) throw new Error(`no label: ${left}`)
    labels[name] = value.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
    left = left.slice(whole.length)
  }
  return labels
}

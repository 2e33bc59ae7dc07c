/*
 * Cache-Control, RFC 9111 §5.2. http-cache-semantics takes names as they are written and splits quoted strings at
 * their commas, so a `NO-STORE` or a `private="a, max-age=9"` would slip through. Here a header is read by the
 * grammar; `canonical` writes it so that the library cannot misread it.
 */

/** Argument by lower-case name; '' where there is none. */
export type Directives = ReadonlyMap<string, string>

const DIRECTIVE =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?[^,]*(?:,|$)/y

const SECONDS: ReadonlySet<string> = new Set([
  'max-age',
  's-maxage',
  'stale-if-error',
  'stale-while-revalidate',
  'min-fresh',
])

/** The longest that RFC 9111 §1.2.2 lets a recipient count; more seconds mean this. */
const MAX_SECONDS = 2 ** 31

/**
 * Reads a header. A number of seconds that is none, or that is given twice with different values, counts as 0:
 * who cannot be understood is not fresh (RFC 9111 §4.2.1).
 */
export function parseDirectives(header: string | undefined): Directives {
  const directives = new Map<string, string>()
  if (header === undefined) return directives
  DIRECTIVE.lastIndex = 0
  for (let match = next(header); match; match = next(header)) {
    const name = match[1]!.toLowerCase()
    const written = match[2] ?? match[3]
    const argument = SECONDS.has(name) ? seconds(written) : (written ?? '')
    const before = directives.get(name)
    directives.set(
      name,
      before !== undefined && before !== argument && SECONDS.has(name) ? '0' : (before ?? argument),
    )
    if (DIRECTIVE.lastIndex >= header.length) break
  }
  return directives
}

/** The next directive, past anything that is none. */
function next(header: string): RegExpExecArray | null {
  for (;;) {
    const from = DIRECTIVE.lastIndex
    const match = DIRECTIVE.exec(header)
    if (match) return match
    const comma = header.indexOf(',', from)
    if (comma < 0) return null
    DIRECTIVE.lastIndex = comma + 1
  }
}

function seconds(argument: string | undefined): string {
  return argument !== undefined && /^\d+$/.test(argument)
    ? String(Math.min(Number(argument), MAX_SECONDS))
    : '0'
}

/** Seconds of a directive; undefined when it is not given. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const argument = directives.get(name)
  return argument === undefined ? undefined : Number(argument)
}

/** The directives as http-cache-semantics reads them right: lower case, one value each, no field-name lists. */
export function canonical(directives: Directives): string {
  const parts: string[] = []
  for (const [name, argument] of directives) {
    parts.push(SECONDS.has(name) ? `${name}=${argument}` : name)
  }
  return parts.join(', ')
}

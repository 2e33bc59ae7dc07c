/** An object of options, made with braces: what has another prototype is a thing of its own, and a leaf. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** No options are that deep: what is, such as an object that holds itself, is complained of as it is. */
const DEEPEST = 16

/** `over`, and of `under` what that does not say, leaf by leaf. Lists are leaves; `undefined` says nothing. */
export function merge(under: unknown, over: unknown, depth = DEEPEST): unknown {
  if (over === undefined) return under
  if (!isPlain(over) || depth === 0) return over
  const below = isPlain(under) ? under : {}
  // Without a prototype: a name such as __proto__ is a name like others, and refused like others.
  const merged: Record<string, unknown> = Object.create(null)
  for (const name of new Set([...Object.keys(below), ...Object.keys(over)])) {
    const value = merge(Object.hasOwn(below, name) ? below[name] : undefined, over[name], depth - 1)
    if (value !== undefined) merged[name] = value
  }
  return merged
}

/** What stands at `path`, such as `'timeouts.fill'`. */
export function at(options: unknown, path: string): unknown {
  let inner = options
  for (const step of path.split('.')) {
    inner = isPlain(inner) && Object.hasOwn(inner, step) ? inner[step] : undefined
  }
  return inner
}

/** `options` with `value` at `path`. */
export function withAt(options: unknown, path: string, value: unknown): unknown {
  const [step = '', ...rest] = path.split('.')
  const own = isPlain(options) ? options : {}
  const inner = rest.length === 0 ? value : withAt(own[step], rest.join('.'), value)
  return { ...own, [step]: inner }
}

/** What answers at once whatever the disk does. */
const AT_ONCE = new Set(['open', 'close', 'stats', 'entries', 'pressure', 'release', 'abort'])

/** `store`, whose calls hang from `freeze()` to `thaw()`, and its drafts and entries with them. */
export function freezable(store) {
  let thawed
  let go
  const wrap = (object) =>
    new Proxy(object, {
      get(target, name) {
        const value = target[name]
        if (typeof value !== 'function') return value
        if (AT_ONCE.has(name)) return value.bind(target)
        return (...given) => {
          const call = () => value.apply(target, given)
          return thawed === undefined ? wrapped(call()) : thawed.then(call).then(wrapped)
        }
      },
    })
  const wrapped = (answer) => {
    if (answer instanceof Promise) return answer.then(wrapped)
    return typeof answer?.commit === 'function' ? wrap(answer) : answer
  }
  return {
    store: wrap(store),
    freeze() {
      thawed = new Promise((resolve) => {
        go = resolve
      })
    },
    thaw() {
      thawed = undefined
      go?.()
    },
  }
}

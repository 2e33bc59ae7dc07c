/** The name in `known` that `given` may have been meant for: one that takes few changes of a letter. Undefined where none is near. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  // Nobody mistypes at such length, and the work grows with its square.
  if (given.length === 0 || given.length > 40) return undefined
  const text = given.toLowerCase()
  const most = Math.max(1, Math.floor(text.length / 3))
  let best: string | undefined
  let least = most + 1
  for (const name of known) {
    const distance = editDistance(text, name.toLowerCase())
    if (distance < least) {
      least = distance
      best = name
    }
  }
  return best
}

/** Letters to add, remove, replace or swap with the next, to make `b` of `a`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, before[j - 2]! + 1)
      }
      row.push(least)
    }
    before = above
    above = row
  }
  return above[b.length]!
}

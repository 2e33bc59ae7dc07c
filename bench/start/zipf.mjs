/**
 * Draws ranks as people ask for things: the item of rank r, counted from 1, with a probability in proportion to
 * 1 / r^exponent (Zipf's law). With an exponent near 1 a few are asked for all the time, and most hardly ever.
 *
 * @param {number} count of items, at least 1
 * @param {number} exponent
 * @param {() => number} random from 0 to below 1
 * @returns {() => number} an index from 0 to below `count`
 */
export function zipf(count, exponent, random) {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new RangeError(`zipf: count is ${count}; want 1 or more`)
  const cumulated = new Float64Array(count)
  let sum = 0
  for (let index = 0; index < count; index += 1) {
    sum += (index + 1) ** -exponent
    cumulated[index] = sum
  }
  return () => {
    const at = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulated[middle] > at) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * The items in another order, the same at every run for the same `random`, so that a rank says nothing of what it is.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {() => number} random
 * @returns {T[]}
 */
export function shuffled(items, random) {
  const mixed = [...items]
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    ;[mixed[at], mixed[other]] = [mixed[other], mixed[at]]
  }
  return mixed
}

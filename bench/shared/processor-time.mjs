/** Nanoseconds of processor time, of all threads, for each of `times` turns of `work`. */
async function cost(work, times) {
  const before = process.cpuUsage()
  for (let count = 0; count < times; count += 1) await work()
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / times
}

/**
 * What a turn of each of `works` costs, in each of the rounds in which they take turns: nanoseconds of processor time of all threads. A first round
 * warms up.
 *
 * @param {ReadonlyArray<() => unknown>} works
 * @param {{ rounds: number, times: number }} how
 * @returns {Promise<number[][]>}
 */
export async function processorTimes(works, { rounds, times }) {
  const costs = works.map(() => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, work] of works.entries()) {
      const ns = await cost(work, times)
      if (round > 0) costs[at].push(ns)
    }
  }
  return costs
}

/** `names` of tiers, each once: the second `file` is `file-2`. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let count = 2; taken.has(unique); count += 1) unique = `${name}-${count}`
    taken.add(unique)
    return unique
  })
}

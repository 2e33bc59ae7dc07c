import { codeOf, O_NOFOLLOW, O_RDONLY, readFully } from '../env.js'
import { LOG_FOLDER, tagsName, tagsOf } from '../format/names.js'
import { decodeTags, MOST_TAGS_FILE } from '../format/tags.js'
import { type Core, logFolder } from '../js/core.js'
import type { Findings } from './report.js'

/**
 * Looks through the files that say what was invalidated by tag.
 *
 * @param clean the last owner closed the directory, so nothing of them was being written
 */
export async function checkTags(
  { env, dir, contexts }: Core,
  clean: boolean,
  findings: Findings,
): Promise<void> {
  const numbers: number[] = []
  const names = await env.list(logFolder(dir)).catch((error: unknown) => {
    // An open makes the folder.
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  for (const { name } of names) {
    const number = tagsOf(name)
    if (number !== undefined) numbers.push(number)
  }
  for (const number of numbers.sort((a, b) => a - b)) {
    const file = `${LOG_FOLDER}/${tagsName(number)}`
    const fd = await env.open(`${dir}/${file}`, O_RDONLY | O_NOFOLLOW)
    try {
      const { size } = await env.statusOf(fd)
      const bytes = await readFully(env, fd, Math.min(size, MOST_TAGS_FILE), 0)
      let at = 0
      let frame = decodeTags(bytes, contexts.tags, number, at)
      while (frame.kind === 'whole') {
        at += frame.bytes
        frame = decodeTags(bytes, contexts.tags, number, at)
      }
      if (frame.kind === 'torn' && !clean) findings.leave(file, `what was being written, from ${at} on`)
      else if (frame.kind !== 'end' || size > MOST_TAGS_FILE) {
        findings.damage('tags', file, at, 'what was invalidated by tag is not what was written')
      } else if (number !== numbers.at(-1)) findings.leave(file, 'tags that the next file has, too')
    } finally {
      await env.close(fd)
    }
  }
}

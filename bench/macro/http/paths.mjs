import { sizeOf } from '../../shared/objects.mjs'
import { fetchRaw } from './raw.mjs'

/** What is asked for, and how many bytes that is. */
export const PATHS = Object.fromEntries(['/1KiB', '/64KiB', '/1MiB'].map((path) => [path, sizeOf(path)]))

/**
 * What the proxy at `url` says on a hit for each path, for a bare server to say the same word for word.
 *
 * @returns {Promise<Array<[path: string, headers: string[], body: string]>>} bodies in base64
 */
export async function hitsOf(url) {
  const answers = []
  for (const path of Object.keys(PATHS)) {
    await fetchRaw(url + path)
    const { headers, body } = await fetchRaw(url + path)
    answers.push([path, headers, body.toString('base64')])
  }
  return answers
}

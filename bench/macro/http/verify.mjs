import { bodyOf } from '../../shared/objects.mjs'
import { fetchRaw } from './raw.mjs'

/*
 * Whether contestants say the same.
 */

/** Fields that tell the time of an answer; all others must be the same. */
const TIMELY = /^(?:age|date|cache-status)$/i

/** What the origin says of a body has to arrive as it was said. */
const ORIGINAL = ['content-type', 'content-length', 'cache-control', 'last-modified', 'etag']

function* pairsOf(headers) {
  for (let at = 0; at < headers.length; at += 2) yield [headers[at], headers[at + 1]]
}

const steady = (headers) =>
  Array.from(pairsOf(headers), ([name, value]) => (TIMELY.test(name) ? name : `${name}: ${value}`)).join('\n')

/** The fields of the origin in a head, by name, in lower case and in order. */
function originalOf(headers) {
  const all = Array.from(pairsOf(headers), ([name, value]) => `${name.toLowerCase()}: ${value}`)
  return all
    .filter((field) => ORIGINAL.includes(field.slice(0, field.indexOf(':'))))
    .sort()
    .join('\n')
}

/** Rejects unless the server gives the status, the bytes, and of the head all that the origin gives. */
export async function verify(server, origin, path, ownBody = bodyOf(path)) {
  const [said, original] = [await fetchRaw(server.url + path), await fetchRaw(origin.url + path)]
  if (said.status !== 200 || !said.body.equals(ownBody)) {
    throw new Error(
      `http: ${server.name} gave status ${said.status} and ${said.body.length} bytes that are not those of ${path}`,
    )
  }
  if (originalOf(said.headers) !== originalOf(original.headers)) {
    throw new Error(
      `http: ${server.name} does not send the origin's head for ${path}: ${originalOf(said.headers)}`,
    )
  }
}

/** Rejects unless both send the same head, word for word, but for the time. */
export async function verifySameHead(one, other, path) {
  const [first, second] = [await fetchRaw(one.url + path), await fetchRaw(other.url + path)]
  if (steady(first.headers) !== steady(second.headers)) {
    throw new Error(`http: ${one.name} and ${other.name} do not send the same head for ${path}`)
  }
}

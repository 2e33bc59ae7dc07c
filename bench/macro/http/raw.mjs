import { get } from 'node:http'

/** Fields that a server adds by itself, for the connection and not for the answer. */
const CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding'])

/**
 * An answer as it came over the wire: fields in their order and spelling, without those of the connection.
 *
 * @param {string} url
 * @returns {Promise<{ status: number, headers: string[], body: Buffer, firstByteMs: number }>} `headers` as name, value, name, value …;
 *   `firstByteMs` from asking to the first byte of the body
 */
export function fetchRaw(url, agent) {
  return new Promise((resolve, reject) => {
    const askedAt = performance.now()
    get(url, { agent }, (response) => {
      const headers = []
      for (let at = 0; at < response.rawHeaders.length; at += 2) {
        const [name, value] = response.rawHeaders.slice(at, at + 2)
        if (!CONNECTION.has(name.toLowerCase())) headers.push(name, value)
      }
      const pieces = []
      let firstByteMs
      response.on('data', (piece) => {
        firstByteMs ??= performance.now() - askedAt
        pieces.push(piece)
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode, headers, body: Buffer.concat(pieces), firstByteMs }),
      )
    }).on('error', reject)
  })
}

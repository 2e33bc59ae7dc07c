import { connect } from 'node:net'

/*
 * One connection of a client: asks, one request after the other, and looks at every byte of each answer. By hand, on the socket: a client of more
 * comfort costs more than the proxy that is asked.
 */

const READ_BYTES = 256 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')
const LONGEST_HEAD = 16 * 1024
const NOTHING = Buffer.alloc(0)

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {string} outcome what Cache-Status says: `hit`, `joined`, `miss`, or `none` where no cache speaks
 * @property {boolean} right whether every byte is what it has to be
 */

const STATUS = /^HTTP\/1\.1 (\d{3})/
const LENGTH = /\r\ncontent-length: *(\d+)/i
const CLOSES = /\r\nconnection: *close/i
const CACHE_STATUS = /\r\ncache-status: *([^\r]*)/i

function readHead(text) {
  return {
    status: Number(STATUS.exec(text)?.[1] ?? 0),
    length: Number(LENGTH.exec(text)?.[1] ?? Number.NaN),
    closes: CLOSES.test(text),
    outcome: outcomeOf(CACHE_STATUS.exec(text)?.[1]),
  }
}

function outcomeOf(cacheStatus) {
  if (cacheStatus === undefined) return 'none'
  if (/;\s*hit\b/.test(cacheStatus)) return 'hit'
  return /;\s*collapsed\b/.test(cacheStatus) ? 'joined' : 'miss'
}

/**
 * Invariant: at most one request is under way; `onEnd` is called once, when the connection is of no more use.
 *
 * @param {{ host: string, port: number }} at
 * @param {{ onAnswer: (answer: Answer) => void, onEnd: (why: string, again: boolean) => void }} hear `onEnd` says why a request under way has failed, '' if
 *   there was none, and whether to ask again: of a connection that was used before, and whose server went without a byte of an answer, as servers do that
 *   find it idle for too long
 */
export function openConnection({ host, port }, { onAnswer, onEnd }) {
  let expected
  let head
  let rest = NOTHING
  let read = 0
  let right = true
  let ended = false
  let answers = 0

  const socket = connect({
    host,
    port,
    noDelay: true,
    onread: { buffer: Buffer.allocUnsafe(READ_BYTES), callback: (count, buffer) => take(buffer, count) },
  })
  socket.setKeepAlive(true)
  const end = (why) => {
    if (ended) return
    ended = true
    socket.destroy()
    const untouched = head === undefined && rest.length === 0
    onEnd(expected === undefined ? '' : why, untouched && answers > 0)
  }
  socket.on('error', (error) => end(error.message))
  socket.on('close', () => end('the connection was closed before the answer was whole'))

  function take(buffer, count) {
    let from = 0
    if (expected === undefined) {
      end('bytes that nobody asked for')
      return false
    }
    if (head === undefined) {
      const bytes =
        rest.length === 0 ? buffer.subarray(0, count) : Buffer.concat([rest, buffer.subarray(0, count)])
      const at = bytes.indexOf(HEAD_END)
      if (at < 0) {
        // The buffer is read into again.
        rest = rest.length === 0 ? Buffer.from(bytes) : bytes
        if (rest.length > LONGEST_HEAD) end('a head without an end')
        return true
      }
      head = readHead(bytes.latin1Slice(0, at + 2))
      from = at + 4 - rest.length
      rest = NOTHING
      if (!Number.isFinite(head.length)) {
        end(`an answer of status ${head.status} without a length`)
        return false
      }
    }
    const length = Math.min(count - from, head.length - read)
    right = right && expected.matches(buffer, from, length, read)
    read += length
    if (from + length < count) end('more bytes than the answer has')
    else if (read === head.length) finish()
    return true
  }

  function finish() {
    const { status, outcome, closes } = head
    const answer = { status, outcome, right: right && read === expected.size }
    expected = undefined
    head = undefined
    answers += 1
    if (closes) end('')
    onAnswer(answer)
  }

  return {
    /** @param {{ path: string, size: number, request: string, matches: (bytes: Buffer, from: number, length: number, at: number) => boolean }} item */
    ask(item) {
      expected = item
      read = 0
      right = true
      socket.write(item.request, 'latin1')
    },
    end,
  }
}

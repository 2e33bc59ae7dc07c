/*
 * Bugs of the dashboard: of who may look, of what is kept and sent, and of what is counted.
 */

const ACCESS = 'lib/http/dashboard/access.ts'
const SESSIONS = 'lib/http/dashboard/sessions.ts'
const AUDIENCE = 'lib/http/dashboard/audience.ts'
const COURSE = 'lib/http/dashboard/course.ts'
const TOP = 'lib/metrics/top-keys.ts'
const check = 'dashboard'

/** `replace` is in `file` exactly once, and becomes `by`; `check` must then fail. */
export const BUGS = [
  // -- Who may look.
  {
    name: 'a session holds for good',
    file: SESSIONS,
    replace: 'return left > 0 && left <= SESSION_MS',
    by: 'return left <= SESSION_MS',
    check,
  },
  {
    name: 'a session is believed what it says',
    file: SESSIONS,
    replace: 'given.length !== wanted.length || !timingSafeEqual(given, wanted)',
    by: 'given.length !== wanted.length',
    check,
  },
  {
    name: 'any token logs in',
    file: ACCESS,
    replace: 'isToken(given) ? sessions',
    by: 'given ? sessions',
    check,
  },
  {
    name: 'a session opens the whole admin listener',
    file: 'lib/http/admin/listener.ts',
    replace: 'isRoot(req) ? undefined : guard(req)',
    by: 'access.look(req)',
    check,
  },
  {
    name: 'without a token it does not matter by which name it is asked',
    file: ACCESS,
    replace: ' && isLocalHost(req.headers.host)',
    by: '',
    check,
  },
  {
    name: 'without a token a proxy may ask for others',
    file: ACCESS,
    replace: '!isHere || FORWARDED.some',
    by: '!isHere || [].some',
    check,
  },
  {
    name: 'pages of other origins may ask',
    file: 'lib/http/admin/guard.ts',
    replace: 'if (isOwn && !isEmbedded) return',
    by: 'if (!isEmbedded) return',
    check,
  },
  // -- What is kept and sent.
  {
    name: 'who does not read is sent everything',
    file: AUDIENCE,
    replace: 'if (!viewer.isBehind) this',
    by: 'if (viewer !== undefined) this',
    check,
  },
  {
    name: 'there is no end to who looks on',
    file: AUDIENCE,
    replace: '!this.#isClosed && this.#viewers.size < MOST_VIEWERS',
    by: '!this.#isClosed',
    check,
  },
  {
    name: 'the timer goes on when nobody looks on',
    file: AUDIENCE,
    replace: 'if (this.#viewers.size > 0) return',
    by: 'if (this.#viewers.size >= 0) return',
    check,
  },
  {
    name: 'seconds are kept for ever',
    file: COURSE,
    replace: 'if (old > 0) this',
    by: 'if (old > 1e9) this',
    check,
  },
  {
    name: 'a month is sent whole',
    file: COURSE,
    replace: 'lines.length > MOST_LINES ?',
    by: 'lines.length > 1e9 ?',
    check,
  },
  // -- What is counted.
  {
    name: 'what a counter had counted for another key is believed',
    file: TOP,
    replace: 'this.#errors[slot] = this.#counts[slot]!',
    by: 'this.#errors[slot] = 0',
    check,
  },
  {
    name: 'any counter is taken, and not the least',
    file: TOP,
    replace: 'if (counts[slot]! <= this.#floor) return slot',
    by: 'return slot',
    check,
  },
  {
    name: 'keys that were hot once stay so',
    file: TOP,
    replace: 'this.#counts[slot]! *= factor',
    by: 'this.#counts[slot]! *= 1',
    check,
  },
]

/*
 * HTTP-date, RFC 9110 §5.6.7: the preferred form and the two obsolete ones that recipients still accept. Date.parse
 * takes much more, such as '0' or '-1', which RFC 9111 wants read as "expired already".
 */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const IMF_FIXDATE = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i

/** Epoch milliseconds of an HTTP-date; undefined when it is none. `now` decides the century of two-digit years. */
export function parseHttpDate(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const fixed = IMF_FIXDATE.exec(text)
  if (fixed) return utc(fixed[3]!, fixed[2]!, fixed[1]!, fixed[4]!, fixed[5]!, fixed[6]!)
  const asctime = ASCTIME.exec(text)
  if (asctime) return utc(asctime[6]!, asctime[1]!, asctime[2]!, asctime[3]!, asctime[4]!, asctime[5]!)
  const old = RFC_850.exec(text)
  if (!old) return undefined
  // A two-digit year that seems more than 50 years ahead is the last such year of the past.
  const thisYear = new Date(now).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + Number(old[3])
  return utc(String(year > thisYear + 50 ? year - 100 : year), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!)
}

function utc(
  year: string,
  monthName: string,
  day: string,
  hour: string,
  minute: string,
  second: string,
): number | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase())
  const date = Number(day)
  if (month < 0 || date < 1 || date > 31 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) {
    return undefined
  }
  return Date.UTC(Number(year), month, date, Number(hour), Number(minute), Number(second))
}

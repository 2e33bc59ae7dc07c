/*
 * Contents to be compressed, of each kind some: the project's own sources and documents, and others made by numbers that are the
 * same at every run.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomFrom } from '../../shared/random.mjs'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** Bytes of each kind, `size` of them, by name. */
export function kinds(size) {
  return new Map([
    ['JSON', filled(size, jsonOf)],
    ['HTML', filled(size, htmlOf)],
    ['prose', filesOf(size, 'docs', '.md')],
    ['source code', filesOf(size, 'lib', '.ts')],
    ['binary records', recordsOf(size)],
    ['JPEG-like', noiseOf(size)],
    ['zeros', Buffer.alloc(size)],
  ])
}

const NAMES = [
  'Ada',
  'Grace',
  'Edsger',
  'Barbara',
  'Donald',
  'Radia',
  'Leslie',
  'Frances',
  'Alan',
  'Margaret',
]

function jsonOf(random) {
  const pick = (of) => of[Math.floor(random() * of.length)]
  return `${JSON.stringify({
    id: Math.floor(random() * 1e9),
    name: `${pick(NAMES)} ${pick(NAMES)}son`,
    email: `${pick(NAMES).toLowerCase()}${Math.floor(random() * 1e4)}@example.com`,
    createdAt: new Date(1.7e12 + random() * 3e10).toISOString(),
    active: random() < 0.8,
    score: Math.round(random() * 1e6) / 1e4,
    tags: [pick(NAMES), pick(NAMES)],
  })},\n`
}

function htmlOf(random) {
  const words = Array.from({ length: 12 }, () => WORDS[Math.floor(random() ** 2 * WORDS.length)])
  const id = Math.floor(random() * 1e5)
  return `<article class="card card--small" id="item-${id}"><h2><a href="/items/${id}?ref=list">${words[0]} ${words[1]}</a></h2>
  <p>${words.slice(2).join(' ')}.</p><img src="/images/${id}.jpg" alt="${words[3]}" width="320" height="200"></article>\n`
}

/** Rows of a column store: counters, times close to each other, few values of a kind, and measured numbers. */
function recordsOf(size) {
  const random = randomFrom(11)
  const bytes = Buffer.alloc(size)
  let time = 1.7e12
  for (let at = 0; at + 32 <= size; at += 32) {
    time += Math.floor(random() * 1000)
    bytes.writeUInt32LE(at / 32, at)
    bytes.writeDoubleLE(time, at + 4)
    bytes.writeUInt16LE(Math.floor(random() * 20), at + 12)
    bytes.writeFloatLE(random() * 100, at + 16)
    bytes.writeDoubleLE(random(), at + 20)
  }
  return bytes
}

/** As an image of a camera: nothing in it repeats. */
function noiseOf(size) {
  const random = randomFrom(5)
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
  return bytes
}

function filled(size, make) {
  const random = randomFrom(3)
  let text = ''
  while (text.length < size) text += make(random)
  return Buffer.from(text.slice(0, size), 'latin1')
}

function filesOf(size, folder, ending) {
  const names = readdirSync(join(ROOT, folder), { recursive: true }).filter((name) => name.endsWith(ending))
  const files = names.sort().map((name) => readFileSync(join(ROOT, folder, name)))
  const once = Buffer.concat(files)
  // Over again where they are fewer: a chunk knows nothing of others.
  const times = Math.ceil(size / once.length)
  return Buffer.concat(Array.from({ length: times }, () => once)).subarray(0, size)
}

const WORDS = [
  ...new Set(
    readFileSync(join(ROOT, 'README.md'), 'utf8')
      .split(/[^A-Za-z]+/)
      .filter((word) => word.length > 2),
  ),
]

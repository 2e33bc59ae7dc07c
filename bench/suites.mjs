/*
 * What `npm run bench` runs, in this order: each is a process of its own, so that none is slower for what another left behind.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string} script below bench/
 * @property {readonly string[]} args
 * @property {boolean} quick whether `--quick` has it: all of those take two minutes together
 * @property {(() => string | undefined)} [lacks] what it needs and is not there
 */

const noPeers = () =>
  existsSync(new URL('peers/node_modules', import.meta.url))
    ? undefined
    : 'no peers: npm --prefix bench/peers ci'
const noTraces = () => (process.env['DREY_TRACES'] ? undefined : 'no traces: DREY_TRACES names their folder')
const noWrk = () =>
  spawnSync('wrk', ['--version']).error === undefined ? undefined : 'no wrk: on Debian apt-get install wrk'

const micro = (name, quick = false, lacks) => ({ name, script: 'micro/main.mjs', args: [name], quick, lacks })
const macro = (name, quick = false, lacks) => ({ name, script: 'macro/main.mjs', args: [name], quick, lacks })

/** @type {readonly Suite[]} */
export const SUITES = [
  micro('crc32c', true),
  micro('hash'),
  micro('fetch', true),
  micro('batch', true),
  micro('memory', true, noPeers),
  micro('memory-churn'),
  micro('buffers'),
  micro('streams'),
  micro('strategies'),
  micro('limiter'),
  micro('compression'),
  micro('compression-store'),
  micro('metrics', true),
  micro('disk', true),
  macro('proxy-hit', true, noWrk),
  macro('first-byte'),
  macro('fan-out'),
  macro('fill'),
  macro('served'),
  macro('memory-bound'),
  macro('frozen-tier'),
  macro('disk-churn'),
  macro('advice'),
  { name: 'hits', script: 'hits/main.mjs', args: [], quick: true, lacks: noTraces },
]

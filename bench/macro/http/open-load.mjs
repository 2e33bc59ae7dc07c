import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pinned } from './wrk.mjs'

/*
 * Latency while requests come at a rate, whatever the answers take: autocannon, which puts down what the requests waited that it could
 * not send in time.
 */

const PROGRAM = fileURLToPath(new URL('../../peers/node_modules/autocannon/autocannon.js', import.meta.url))

export const canLoadOpenly = () => existsSync(PROGRAM)

/**
 * @param {{ name: string, url: string }} server
 * @param {string} path
 * @param {{ rate: number, connections: number, seconds: number }} how
 * @returns {Promise<{ perSecond: number, meanMs: number, p99Ms: number, p999Ms: number, maxMs: number }>} in whole milliseconds but for the mean
 */
export async function loadOpenly(server, path, { rate, connections, seconds }) {
  const options = ['-j', '-c', String(connections), '-R', String(rate), '-d', String(seconds)]
  const [command, ...args] = [...pinned(1), process.execPath, PROGRAM, ...options, server.url + path]
  const { stdout } = await promisify(execFile)(command, args)
  const { latency, requests, errors, non2xx } = JSON.parse(stdout)
  if (errors + non2xx > 0) {
    throw new Error(`http: ${server.name} failed ${errors + non2xx} requests for ${path} under open load`)
  }
  return {
    perSecond: requests.average,
    meanMs: latency.average,
    p99Ms: latency.p99,
    p999Ms: latency.p99_9,
    maxMs: latency.max,
  }
}

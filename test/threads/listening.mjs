import { once } from 'node:events'
import { createServer } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { native } from '../../dist/native/loader.js'

/* A worker thread with two sockets of the addon: a server has the one, and nobody the other. It exits when it is told to. */

const listen = () => native().listenSocket('127.0.0.1', 0, 1)
const taken = listen()
const server = createServer()
server.listen({ fd: taken })
await once(server, 'listening')
const left = listen()
parentPort.postMessage([taken, left])
parentPort.on('message', () => process.exit(0))

// Record the delays that retry libraries of npm compute: tests/retriers/presets/npm_delays.txt, which the presets are
// held to.
//
//     npm install --prefix FOLDER p-retry axios-retry axios got ky cockatiel undici bullmq @smithy/core
//     node benchmarks/record_npm_delays.mjs FOLDER > tests/retriers/presets/npm_delays.txt
//
// Each library runs its own code for delays, with Math.random answering a number that is written down and setTimeout
// noting the delay instead of waiting. A line has the preset, the random number, and the delays before the first five
// retries in ms. The numbers are 0, 0.5, the largest one below 1, and 197 that fill [0, 1) evenly.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const RETRIES = [1, 2, 3, 4, 5]
const DRAWS = [0, 0.5, 1 - 2 ** -53]
for (let number = 1; DRAWS.length < 200; number += 1) DRAWS.push((number * 0.6180339887498949) % 1)

const folder = path.resolve(process.argv[2], 'node_modules')
const require = createRequire(path.join(folder, 'x.js'))
const load = (file) => import(pathToFileURL(path.join(folder, file)).href)
const version = (name) => JSON.parse(readFileSync(path.join(folder, name, 'package.json'), 'utf8')).version

const realTimeout = globalThis.setTimeout
let slept = []
globalThis.setTimeout = (callback, delay, ...rest) => {
  slept.push(delay)
  return realTimeout(callback, 0, ...rest)
}

// Runs code that sleeps before each retry and in the end fails; returns what it slept.
async function sleptBy(run) {
  slept = []
  await run().then(() => { throw new Error('it has to fail') }, () => {})
  return slept.slice(0, RETRIES.length)
}

const fails = async () => { throw new Error('no') }

const { default: pRetry } = await load('p-retry/index.js')
const { exponentialDelay } = await load('axios-retry/dist/esm/index.js')
const { default: gotDelay } = await load('got/dist/source/core/calculate-retry-delay.js')
const { default: ky } = await load('ky/distribution/index.js')
const { ExponentialBackoff } = require('cockatiel')
const RetryHandler = require(path.join(folder, 'undici/lib/handler/retry-handler.js'))
const { Backoffs } = await load('bullmq/dist/esm/classes/backoffs.js')
const { StandardRetryStrategy } = require('@smithy/core/retry')

function got(attemptCount) {
  const error = { name: 'HTTPError', options: { method: 'GET' }, response: { statusCode: 500 } }
  const retryOptions = {
    limit: 5, methods: ['GET'], statusCodes: [500], errorCodes: [], noise: 100, backoffLimit: Infinity,
  }
  return gotDelay({ attemptCount, retryOptions, error, computedValue: Infinity })
}

function cockatiel() {
  const delays = []
  let backoff = new ExponentialBackoff()
  for (const _ of RETRIES) {
    backoff = backoff.next({})
    delays.push(backoff.duration)
  }
  return delays
}

// The default of `retryOptions.retry`, a static method under a symbol.
const undiciRetry = Object.getOwnPropertySymbols(RetryHandler).map((key) => RetryHandler[key])[0]

function undici() {
  slept = []
  const opts = {
    method: 'GET',
    retryOptions: {
      maxRetries: 5, minTimeout: 500, maxTimeout: 30000, timeoutFactor: 2, statusCodes: [500], errorCodes: [],
      methods: ['GET'], retryAfter: true,
    },
  }
  const error = { statusCode: 500, code: 'UND_ERR_REQ_RETRY', headers: {} }
  for (const counter of RETRIES) undiciRetry(error, { state: { counter }, opts }, () => {})
  return slept
}

async function smithy(errorType) {
  const strategy = new StandardRetryStrategy(async () => RETRIES.length + 1)
  let token = await strategy.acquireInitialRetryToken('')
  return sleptBy(async () => {
    for (;;) token = await strategy.refreshRetryTokenForRetry(token, { errorType })
  })
}

const bullmq = (backoff) => RETRIES.map((retry) => Backoffs.calculate(backoff, retry, new Error('no'), {}))
const url = 'http://127.0.0.1/'
const unreachable = async () => { throw new TypeError('fetch failed') }

const PRESETS = {
  'p-retry': () => sleptBy(() => pRetry(fails, { retries: 5 })),
  'p-retry-randomized': () => sleptBy(() => pRetry(fails, { retries: 5, randomize: true })),
  'axios-retry-exponential': () => RETRIES.map((retry) => exponentialDelay(retry)),
  got: () => RETRIES.map(got),
  ky: () => sleptBy(() => ky(url, { fetch: unreachable, timeout: false, retry: { limit: 5 } })),
  cockatiel,
  undici,
  'bullmq-fixed': () => bullmq({ type: 'fixed', delay: 1000 }),
  'bullmq-exponential': () => bullmq({ type: 'exponential', delay: 1000 }),
  'bullmq-exponential-jitter': () => bullmq({ type: 'exponential', delay: 1000, jitter: 0.5 }),
  'aws-sdk-js-standard': () => smithy('TRANSIENT'),
  'aws-sdk-js-standard:throttled': () => smithy('THROTTLING'),
}

const PACKAGES = ['p-retry', 'axios-retry', 'got', 'ky', 'cockatiel', 'undici', 'bullmq', '@smithy/core']
console.log(`# ${PACKAGES.map((name) => `${name} ${version(name)}`).join(', ')}`)
const realRandom = Math.random
for (const [name, delays] of Object.entries(PRESETS)) {
  const lines = []
  for (const draw of DRAWS) {
    Math.random = () => draw
    lines.push(`${draw} ${(await delays()).join(' ')}`)
    Math.random = realRandom
  }
  // A law without jitter says the same for every draw: once is enough.
  const alike = new Set(lines.map((line) => line.slice(line.indexOf(' ')))).size === 1
  for (const line of alike ? lines.slice(0, 1) : lines) console.log(`${name} ${line}`)
}
process.exit(0)

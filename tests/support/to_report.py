"""Scenarios whose results are worth a page: names that attack it, a sweep, and a shared world over time."""

HOSTILE = "</script><img src=x onerror=alert(1)>"
CELLS = f"""
name: attacked
why: "Does {HOSTILE} run? \\"quoted\\" & 'quoted'"
seed: 7
requests: {{count: 300}}
action: {{latency: {{lognormal: {{median: 20ms, p99: 200ms}}}}, outcomes: {{fail: 0.2, ack_lost: 0.1}}}}
variants:
  "{HOSTILE}": {{retrier: article}}
  plain: {{retrier: helpers}}
  "a name that is {"very " * 11}long": {{retrier: component}}
expect: [success.rate >= 99.9%]
"""
SWEEP = """
name: swept
seed: 7
requests: {count: 200}
action: {outcomes: {fail: 0.3}}
retrier: {kind: helpers, max_failures: 2}
sweep: {action.outcomes.fail: [0.1, 0.3, 0.5], retrier.max_failures: [1, 2, 3]}
"""
OVER_TIME = """
name: over-time
world: shared
seed: 7
requests: {count: 300, arrivals: {poisson: {rate: 30/s}}}
replications: 3
until: 20s
action: {service: backend}
services:
  backend: {servers: 2, latency: {exponential: {mean: 40ms}}, capacity: [{from: 2s, to: 4s, servers: 1}]}
retrier: {kind: policy, attempts: 3, timeout: 200ms}
timeline: {every: 1s}
recovery: {after: 4s, within: 5s, goodput: 50%, window: 1s}
"""

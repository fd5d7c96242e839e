"""The component `batchWorker` within the pool: a loop that asks for work and does it, and a monitor that watches it.

Source: `@convex-dev/batch-worker` 0.3.6, `src/component/kick.ts`, `loop.ts`, `monitor.ts`, `shared.ts`.

Its row in `workers` says `idle`, `running` or `stopped`, and is written on transitions only. Its row in `workerState`
has the generation, the job of the next loop (`runnerId`) and that of the monitor. The comments of the source speak of
a status `waiting`: there is none. A loop that sleeps until a time has status `idle` and a pending runner.
"""

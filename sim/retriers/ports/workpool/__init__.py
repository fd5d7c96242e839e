"""`workpool`: the component that runs works in slots, with retries.

Source: `@convex-dev/workpool` 0.4.16 on `@convex-dev/batch-worker` 0.3.6. A module here is a file of the source and has
its functions, in its order and with its names:

    client      src/client/index.ts        what an app calls
    lib         src/component/lib.ts       enqueue, cancel, cancelAll, status
    config      src/component/config.ts    the pool's settings
    kick        src/component/kick.ts      waking the loop
    loop        src/component/loop.ts      getBatch and run: what the loop looks for and does
    worker      src/component/worker.ts    runBatch and runMutationWrapper: doing the work
    complete    src/component/complete.ts  the end of an attempt
    recovery    src/component/recovery.ts  the end of an attempt that died
    stats       src/component/stats.ts     the report of a minute
    danger      src/component/danger.ts    deleting old works
    shared      src/component/shared.ts    numbers and times
    batch_worker/                          the loop itself and its monitor: a component within the component

Ours are `context` (what a handler is given), `options` (what a scenario gives) and `pool` (all of it put together).
Documents have upstream's fields. Their instants are ns; `fnArgs` names the request whose work it is. Arguments are not
simulated but their size is: from 8000 bytes on a `payload` document stands for them.

Where documentation and code differ, this does what the code does:

- The first retry waits `initialBackoffMs`, not `initialBackoffMs * base`; jitter spreads it from 0.5 to 1.5 times.
- A work is due at the start of its 100 ms segment, so up to 100 ms early; the loop looks every 200 ms.
- `cancelAll` is described as for pending works; it marks running ones too, so that they are not retried.
- `onComplete` is promised to be called always; not after it threw twice, nor if its job or that of `complete` is lost.
- A query runs in the action `runBatch`, not in a mutation.
- A ping of a loop that is due within a second is described as a no-op; it writes the worker's row.

Left out: `migrations.ts` and the functions of older versions' jobs (`runActionWrapper`, `loop.main`): no pool here is
older than 0.4.16; and `stats.scheduledFunctionsInRange`, which only lists jobs.
"""

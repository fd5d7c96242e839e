"""What is owed over a whole run: laws of chance, which no single history can break.

`evidence` is what is put to the tests of `sim.measure.chances`; `overall` has the invariants and the ruling over all
tests together. `waits`, `attempts` and `backoffs` gather what histories say of the retrier's waits, of the attempts as
the world plays them, and of the platform's own backoffs. Laws are written down here, in `sim.promises.waits` and in
`sim.laws.shares` apart from the code that draws.
May import `promises` and below.
"""

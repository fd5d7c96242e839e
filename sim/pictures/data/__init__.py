"""The data of every picture, without Matplotlib: frozen objects of plain numbers and text.

Each module makes the objects of one picture (`attempts_data(cells)`); the module of the same name in `sim.pictures`
draws them. A page in HTML can take the same objects. `dataclasses.asdict` turns an object into what JSON holds, but
times that never end are `math.inf`.

Durations and instants are ns, shares are parts of 1. Text is as people wrote it: not wrapped, not escaped. Fields of
these names mean the same in every object:

- `title`, `note`, `caption`: the words around the picture (`Picture`).
- `x_label`, `y_label`: what stands along its axes.
"""

"""The pictures: what they show is in `sim.pictures.data`, how they look is here, drawn by Matplotlib.

A picture `x` has `x_data(...)`, which makes a frozen object of numbers and text, `draw_x(data, ax=None)`, which draws
it, and `plot_x(...)`, which does both. May import `stories`, `text` and below.
"""

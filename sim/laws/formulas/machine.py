"""Formulas as flat tables of numbers, and the machine that evaluates them, for one value and for arrays.

A code is a tuple of steps `(opcode, number)` in postfix order. `CONSTANT` puts its number on the stack, `VALUE` the
value of the name at that place; any other opcode is 2 plus the place of an operation in `OPERATIONS` and takes its
arguments from the stack, with the number 0. A machine in another language needs these tables and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sim.laws.formulas.operations import OPERATIONS
from sim.laws.formulas.tree import Apply, Name, Number, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.laws.elementary import Floats

Code = tuple[tuple[int, float], ...]

CONSTANT: Final = 0
VALUE: Final = 1
_FIRST_OPERATION: Final = 2
_OPCODES: Final = {name: _FIRST_OPERATION + place for place, name in enumerate(OPERATIONS)}
_NAMES: Final = tuple(OPERATIONS)
_ARITIES: Final = (0, 0, *(operation.arity for operation in OPERATIONS.values()))
_OF_NUMBERS: Final[tuple[Callable[..., float], ...]] = (
    abs,
    abs,
    *(operation.of_numbers for operation in OPERATIONS.values()),
)
_OF_ARRAYS: Final[tuple[Callable[..., Floats], ...]] = (
    np.abs,
    np.abs,
    *(operation.of_arrays for operation in OPERATIONS.values()),
)
_ADD: Final = _OPCODES["+"]
_MULTIPLY: Final = _OPCODES["*"]


def encode(tree: Tree, names: Sequence[str]) -> Code:
    """Write a tree as a code; the value of a name will be found at its place in `names`."""
    match tree:
        case Number():
            return ((CONSTANT, tree.value),)
        case Name():
            return ((VALUE, names.index(tree.name)),)
    steps = [step for argument in tree.arguments for step in encode(argument, names)]
    return (*steps, (_OPCODES[tree.operation], 0))


def decode(code: Code, names: Sequence[str]) -> Tree:
    """Return the tree of which `encode` makes this code."""
    stack: list[Tree] = []
    for opcode, number in code:
        if opcode == CONSTANT:
            stack.append(Number(number))
        elif opcode == VALUE:
            stack.append(Name(names[int(number)]))
        else:
            arity = _ARITIES[opcode]
            stack[-arity:] = [Apply(_NAMES[opcode - _FIRST_OPERATION], tuple(stack[-arity:]))]
    return stack.pop()


def evaluate(code: Code, values: Sequence[float]) -> float:
    """Return the value of a code for these values of its names; never raises, see `sim.laws.formulas.operations`."""
    stack: list[float] = []
    push, pop = stack.append, stack.pop
    for opcode, number in code:
        if opcode == CONSTANT:
            push(number)
        elif opcode == VALUE:
            push(values[number])  # type: ignore[call-overload]  # the places of names are whole numbers
        elif opcode == _MULTIPLY:  # the two most frequent ones need no call
            last = pop()
            stack[-1] *= last
        elif opcode == _ADD:
            last = pop()
            stack[-1] += last
        elif _ARITIES[opcode] == 1:
            stack[-1] = _OF_NUMBERS[opcode](stack[-1])
        else:
            last = pop()
            stack[-1] = _OF_NUMBERS[opcode](stack[-1], last)
    return stack[0]


def evaluate_arrays(code: Code, values: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    """Return the values of a code for arrays of values of its names, in the bits of `evaluate`; all have one shape.

    The result may be a view that cannot be written to.
    """
    stack: list[Floats] = []
    with np.errstate(all="ignore"):  # infinities and NaN are results
        for opcode, number in code:
            if opcode == CONSTANT:
                stack.append(np.asarray(number, np.float64))
            elif opcode == VALUE:
                stack.append(values[int(number)])
            else:
                arity = _ARITIES[opcode]
                stack[-arity:] = [_OF_ARRAYS[opcode](*stack[-arity:])]
    return np.broadcast_to(stack.pop(), shape)

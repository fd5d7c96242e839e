"""Every kind of place that refers to an original is found, exchanged and put back."""

import gc
import importlib
import itertools
import os
import random
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sim.guests import referrers
from sim.guests.places import Entries, Strong
from sim.guests.references import References


def simulated_sleep(seconds: float) -> str:
    return f"{seconds} s, simulated"


def simulated_random() -> float:
    return 0.25


def simulated_lock() -> str:
    return "simulated lock"


LOCKS: Any = types.ModuleType("locks_of_a_test")
exec("def a_lock(): return 'lock'", vars(LOCKS))  # noqa: S102  # an original that is written in Python
numbers = itertools.count()


def imported(text: str, name: str | None = None) -> Any:
    """Import a module with a text."""
    name = name or f"made_for_a_test_{next(numbers)}"
    module = sys.modules[name] = types.ModuleType(name)
    exec("import time\n" + text, vars(module))  # noqa: S102  # as an import does
    return module


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("made_for_a_test", "sim.made_for_a_test")):
            del sys.modules[name]


@pytest.fixture
def everywhere() -> Iterator[References]:
    """References that are sought in the whole process."""
    found = References({time.sleep: simulated_sleep})
    yield found
    found.restore()


@pytest.fixture
def references(everywhere: References, monkeypatch: pytest.MonkeyPatch) -> References:
    """References that are sought in what the test makes alone: all that there is before it is frozen, and stays so.

    A search of the whole process takes a quarter of a second, most of it for the tests that pytest has collected.
    """
    gc.freeze()
    monkeypatch.setattr(gc, "get_freeze_count", lambda: 0)
    return everywhere


PLACES = {
    "name in a module": ("from time import sleep", "module.sleep"),
    "name in a module, of a method of random": ("from random import random as draw", "module.draw"),
    "attribute of a class": ("class C: wait = time.sleep", "module.C.wait"),
    "attribute of a class that refuses": (
        "class M(type):\n def __setattr__(*_): raise TypeError\nclass C(metaclass=M): wait = time.sleep",
        "module.C.wait",
    ),
    "attribute of a subclass": ("class B: pass\nclass C(B): wait = time.sleep", "module.C.wait"),
    "static method": ("class C: wait = staticmethod(time.sleep)", "module.C.wait"),
    "class method": ("class C: lock = classmethod(a_lock)", "vars(module.C)['lock'].__func__"),
    "partial method": (
        "import functools\nclass C: wait = functools.partialmethod(time.sleep, 1)",
        "vars(module.C)['wait'].func",
    ),
    "attribute of an object": ("class C: pass\nc = C(); c.wait = time.sleep", "module.c.wait"),
    "attribute of an object, looked at as a dictionary": (
        "class C: pass\nc = C(); vars(c)['wait'] = time.sleep",
        "module.c.wait",
    ),
    "slot": ("class C: __slots__ = 'wait',\nc = C(); c.wait = time.sleep", "module.c.wait"),
    "slot of a frozen dataclass": (
        (
            "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass C: wait: object = time.sleep\n"
            "c = C()"
        ),
        "module.c.wait",
    ),
    "default of a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass C: wait: object = time.sleep",
        "module.C().wait",
    ),
    "default of a field": (
        "import dataclasses\n@dataclasses.dataclass\nclass C: wait: object = time.sleep",
        "module.C.__dataclass_fields__['wait'].default",
    ),
    "factory of a field": (
        "import dataclasses\n@dataclasses.dataclass\nclass C: at: object = dataclasses.field(default_factory=a_lock)",
        "module.C.__dataclass_fields__['at'].default_factory",
    ),
    "default of an attrs class": ("import attrs\n@attrs.define\nclass C: wait: object = time.sleep", "module.C().wait"),
    "attribute of an attrs class": (
        "import attrs\n@attrs.frozen\nclass C: wait: object = time.sleep",
        "module.C.__attrs_attrs__[0].default",
    ),
    "dictionary": ("OPTIONS = {'sleep': time.sleep}", "module.OPTIONS['sleep']"),
    "dictionary in a dictionary": ("OPTIONS = {'of': {'sleep': time.sleep}}", "module.OPTIONS['of']['sleep']"),
    "dictionary of a class": ("class C: options = {'sleep': time.sleep}", "module.C.options['sleep']"),
    "dictionary with a default": (
        "import collections\nD = collections.defaultdict(a_lock)\nE = D.default_factory",
        "module.D.default_factory",
    ),
    "ordered dictionary": (
        "import collections\nD = collections.OrderedDict(a=1, sleep=time.sleep, z=2)",
        "list(module.D.values())[1]",
    ),
    "list": ("CLOCKS = [1, time.sleep]", "module.CLOCKS[1]"),
    "list in a list": ("CLOCKS = [[time.sleep]]", "module.CLOCKS[0][0]"),
    "list of a class of its own": ("class L(list): pass\nCLOCKS = L([time.sleep])", "module.CLOCKS[0]"),
    "deque": ("import collections\nCLOCKS = collections.deque([0, time.sleep])", "module.CLOCKS[1]"),
    "default argument": ("def wait(by=time.sleep): return by", "module.wait()"),
    "default argument of a method": ("class C:\n def wait(self, by=time.sleep): return by", "module.C().wait()"),
    "default of a keyword": ("def wait(*, by=time.sleep): return by", "module.wait()"),
    "attribute of a function": ("def wait(): pass\nwait.by = time.sleep", "module.wait.by"),
    "closure": ("def make(by): return lambda: by\nwait = make(time.sleep)", "module.wait()"),
    "closure in a decorated function": (
        (
            "import functools\ndef make(by):\n @functools.wraps(by)\n def wait(): return by\n return wait\n"
            "wait = make(time.sleep)"
        ),
        "module.wait()",
    ),
    "function of a partial": ("import functools\nP = functools.partial(time.sleep, 1)", "module.P.func"),
    "argument of a partial": ("import functools\nP = functools.partial(print, time.sleep)", "module.P.args[0]"),
    "keyword of a partial": (
        "import functools\nP = functools.partial(print, by=time.sleep)",
        "module.P.keywords['by']",
    ),
    "tuple": ("CLOCKS = (1, time.sleep)", "module.CLOCKS[1]"),
    "tuple in a tuple": ("CLOCKS = ((1, time.sleep), 2)", "module.CLOCKS[0][1]"),
    "tuple in a list": ("CLOCKS = [(1, time.sleep)]", "module.CLOCKS[0][1]"),
    "tuple in a default argument": ("def wait(by=(1, time.sleep)): return by", "module.wait()[1]"),
    "tuple in a slot": ("class C: __slots__ = 'by',\nc = C(); c.by = (time.sleep,)", "module.c.by[0]"),
    "named tuple": (
        "from typing import NamedTuple\nclass N(NamedTuple):\n by: object\nn = N(time.sleep)",
        "module.n.by",
    ),
    "default of a named tuple": (
        "from typing import NamedTuple\nclass N(NamedTuple):\n by: object = time.sleep",
        "module.N().by",
    ),
    "bound method of a function": ("import types\nM = types.MethodType(a_lock, 7)", "module.M.__func__"),
    "method of a function": ("CALL = time.sleep.__call__", "module.CALL.__self__"),
    "weak reference": ("import weakref\nW = weakref.ref(time.sleep)", "module.W()"),
    "weak dictionary": (
        "import weakref\nW = weakref.WeakValueDictionary(sleep=time.sleep)",
        "module.W['sleep']",
    ),
    "namespace": ("import types\nN = types.SimpleNamespace(sleep=time.sleep)", "module.N.sleep"),
    "enumeration": ("import enum\nclass E(enum.Enum):\n A = (time.sleep,)", "module.E.A.value[0]"),
    "object of an extension class with a dictionary": (
        "import threading\nL = threading.local(); L.sleep = time.sleep",
        "module.L.sleep",
    ),
    "thread to come": (
        "import threading\nT = threading.Thread(target=time.sleep, args=(1,))",
        "module.T._target",
    ),
}
"""For each kind of place, a module with one and how to read it."""


def read(name: str, module: Any) -> Any:
    return eval(PLACES[name][1], {"module": module})  # noqa: S307  # a text of this file


@pytest.fixture(scope="module", params=[0, 1000], ids=["modules first", "all at once"])
def seen(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    """What was at each place in two sessions, and after each; in both ways to search."""
    patched = pytest.MonkeyPatch()
    patched.setattr(referrers, "FEW", request.param)
    names = {id(time.sleep): "original", id(random.random): "original", id(LOCKS.a_lock): "original"}
    names |= {id(simulated_sleep): "replacement", id(simulated_random): "replacement"}
    names[id(simulated_lock)] = "replacement"
    sys.modules["locks_of_a_test"] = LOCKS
    modules = {name: imported("from locks_of_a_test import a_lock\n" + text) for name, (text, _) in PLACES.items()}
    references = References(
        {time.sleep: simulated_sleep, random.random: simulated_random, LOCKS.a_lock: simulated_lock}
    )
    found: dict[str, list[str]] = {name: [] for name in PLACES}
    for step in (references.install, references.restore) * 2:
        step()
        for name, module in modules.items():
            found[name].append(names[id(read(name, module))])
    for name in ["locks_of_a_test", *(module.__name__ for module in modules.values())]:
        del sys.modules[name]
    patched.undo()
    return found


@pytest.mark.parametrize("name", PLACES)
def test_a_place_is_exchanged_in_each_session_and_gets_the_original_back(name: str, seen: dict[str, list[str]]) -> None:
    assert seen[name] == ["replacement", "original"] * 2


def test_the_very_tuple_is_put_back(references: References) -> None:
    module = imported("CLOCKS = (time.sleep,)\ndef wait(by=CLOCKS): return by")
    before = id(module.CLOCKS)
    references.install()
    inside = module.CLOCKS is module.wait()
    references.restore()
    assert (inside, id(module.CLOCKS), id(module.wait())) == (True, before, before)


UNREACHABLE = {
    "set": ("CLOCKS = {time.sleep}", "a set in {}.CLOCKS"),
    "frozenset": ("CLOCKS = frozenset([time.sleep])", "a frozenset in {}.CLOCKS"),
    "set in a dictionary": ("OPTIONS = {'by': {time.sleep}}", "a set in {}.OPTIONS"),
    "set of a class": ("class C: clocks = {time.sleep}", "a set in {}.C.clocks"),
    "set of an object": ("class C: pass\nc = C(); c.clocks = {time.sleep}", "a set in an object of {}.C"),
    "set in a closure": (
        "def make(by): return lambda: by\nf = make({time.sleep})",
        "a set in {}.make.<locals>.<lambda>",
    ),
    "tuple in a set": ("CLOCKS = {(1, time.sleep)}", "a set in {}.CLOCKS"),
    "key of a dictionary": ("NAMES = {time.sleep: 'sleep'}", "the keys of a dictionary in {}.NAMES"),
    "iterator": ("CALLS = map(time.sleep, [1])", "an object of the class builtins.map in {}.CALLS"),
    "cached result": (
        "import functools\n@functools.lru_cache\ndef clock(): return time.sleep\nclock()",
        "an object of the class functools._lru_cache_wrapper in {}.clock",
    ),
    "function with a cache": (
        "import functools\nwait = functools.lru_cache(time.sleep)",
        "an object of the class functools._lru_cache_wrapper in {}.wait",
    ),
    "property": (
        "class C: now = property(time.sleep)",
        "an object of the class builtins.property in {}.C.now",
    ),
}
"""For each kind of thing that cannot be exchanged, a module with one and what is said of it."""


@pytest.fixture(scope="module")
def told() -> dict[str, list[str]]:
    """What is said of each of them, without the name of the module."""
    modules = {name: imported(text) for name, (text, _) in UNREACHABLE.items()}
    references = References({time.sleep: simulated_sleep})
    said = references.install()
    references.restore()
    found: dict[str, list[str]] = {}
    for name, module in modules.items():
        word = f" {module.__name__}."
        found[name] = [one.replace(word, " {}.") for one in said if word in one]
        del sys.modules[module.__name__]
        vars(module).clear()
    return found


@pytest.mark.parametrize("name", UNREACHABLE)
def test_what_cannot_be_exchanged_is_told(name: str, told: dict[str, list[str]]) -> None:
    assert told[name] == [UNREACHABLE[name][1] + " holds time.sleep"]


def test_what_cannot_be_exchanged_is_told_until_it_is_gone(references: References) -> None:
    module = imported("CLOCKS = {time.sleep}")
    told = []
    for step in (lambda: None, lambda: None, module.CLOCKS.clear):
        step()
        told.append(len(references.install()))
        references.restore()
    assert (told, references.searches) == ([1, 1, 0], 1)


def test_an_argument_that_a_cache_remembers_is_not_told(references: References) -> None:
    imported("import functools\n@functools.lru_cache\ndef name(of): return 'x'\nname(time.sleep)")
    assert references.install() == []


def test_variables_of_running_code_are_left_and_not_told(references: References) -> None:
    def running() -> Iterator[Any]:
        clocks = {time.sleep}
        by = time.sleep
        yield
        yield by in clocks

    module = imported("")
    module.calls = running()
    next(module.calls)
    assert (references.install(), next(module.calls)) == ([], True)


def test_what_only_running_code_holds_is_exchanged(references: References) -> None:
    options = {"sleep": time.sleep}
    references.install()
    assert options["sleep"] is simulated_sleep


OWN = {
    "name": ("from time import sleep", "module.sleep"),
    "dictionary": ("REAL = {'sleep': time.sleep}", "module.REAL['sleep']"),
    "tuple": ("REAL = (time.sleep,)", "module.REAL[0]"),
    "default argument": ("def f(real=time.sleep): return real", "module.f()"),
    "closure": (
        (
            "import functools\ndef make(real):\n @functools.wraps(real)\n def f(): return real\n return f\n"
            "f = make(time.sleep)"
        ),
        "module.f()",
    ),
    "object": ("class C: pass\nc = C(); c.real = time.sleep", "module.c.real"),
    "object with a dictionary": ("class C: pass\nc = C(); c.real = {'sleep': time.sleep}", "module.c.real['sleep']"),
    "set": ("REAL = {time.sleep}", "[*module.REAL][0]"),
}


@pytest.fixture(scope="module")
def own() -> dict[str, tuple[bool, bool]]:
    """Whether something is said of each of them, and whether it is exchanged."""
    modules = {name: imported(text, f"sim.made_for_a_test_{next(numbers)}") for name, (text, _) in OWN.items()}
    references = References({time.sleep: simulated_sleep})
    said = " ".join(references.install())
    found = {}
    for name, module in modules.items():
        inside = eval(OWN[name][1], {"module": module})  # noqa: S307  # a text of this file
        found[name] = (module.__name__ in said, inside is simulated_sleep)
        del sys.modules[module.__name__]
    references.restore()
    return found


@pytest.mark.parametrize("name", OWN)
def test_what_this_package_holds_is_left(name: str, own: dict[str, tuple[bool, bool]]) -> None:
    assert own[name] == (False, False)


def test_a_replacement_keeps_the_original_that_it_calls() -> None:
    module = imported("def original(): return 'original'")

    def make(real: Callable[[], str]) -> Callable[[], str]:
        def replacement() -> str:
            return f"instead of {real()}"

        vars(replacement)["__wrapped__"] = real
        return replacement

    references = References({module.original: make(module.original)})
    references.install()
    inside = module.original()
    references.restore()
    assert (inside, module.original()) == ("instead of original", "original")


@pytest.mark.parametrize("few", [0, 1000])
def test_what_is_in_no_module_is_found_too(few: int, everywhere: References, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referrers, "FEW", few)
    options = {"sleep": time.sleep}
    everywhere.install()
    assert options["sleep"] is simulated_sleep


def test_sets_of_what_the_system_can_do_are_not_told() -> None:
    # `os.supports_dir_fd` holds it: code asks whether it does.
    references = References({os.mknod: simulated_sleep})
    told = references.install()
    references.restore()
    assert told == []


@pytest.mark.slow
def test_functions_work_in_other_threads_while_sessions_come_and_go(everywhere: References) -> None:
    module = imported(
        "from time import sleep\nL = [sleep]\nD = {'by': sleep}\nT = (sleep,)\ndef f(by=sleep): return by"
    )
    known = {time.sleep, simulated_sleep}
    is_over = threading.Event()
    wrong: list[Any] = []

    def look() -> None:
        while not is_over.is_set():
            found = [module.sleep, module.L[0], module.D["by"], module.T[0], module.f()]
            wrong.extend(one for one in found if one not in known)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        everywhere.install()
        everywhere.restore()
    is_over.set()
    for thread in threads:
        thread.join()
    found = [module.sleep, module.L[0], module.D["by"], module.T[0], module.f()]
    assert (wrong, [one is time.sleep for one in found]) == ([], [True] * 5)


def test_a_second_session_needs_no_search(everywhere: References) -> None:
    for _ in range(3):
        everywhere.install()
        everywhere.restore()
    assert everywhere.searches == 1


def test_a_search_can_be_asked_for(references: References) -> None:
    for _ in range(2):
        references.install(rescan=True)
        references.restore()
    assert references.searches == 2


def test_a_new_module_is_found(references: References) -> None:
    references.install()
    references.restore()
    module = imported("from time import sleep")
    references.install()
    assert module.sleep is simulated_sleep


NEW = {
    "name": "sleep = time.sleep",
    "default argument": "def wait(by=time.sleep): return by\nsleep = wait()\ndel sleep",
    "attribute of a new object": "c.by = time.sleep",
}


@pytest.mark.parametrize("text", NEW.values(), ids=NEW)
def test_a_new_reference_in_an_old_module_is_found(text: str, references: References) -> None:
    module = imported("class C: pass\nc = C()")
    references.install()
    references.restore()
    exec(text, vars(module))  # noqa: S102  # as a cell of a notebook
    references.install()
    found = getattr(module, "sleep", None) or getattr(module.c, "by", None) or module.wait()
    assert found is simulated_sleep


def test_a_new_object_is_found_though_an_older_one_is_gone(references: References) -> None:
    module = imported("class C:\n def __init__(self): self.by = time.sleep")
    module.c = module.C()
    references.install()
    references.restore()
    module.c = None
    module.d = module.C()
    references.install()
    assert module.d.by is simulated_sleep


def test_what_a_module_copies_in_a_session_is_put_back(references: References) -> None:
    references.install()
    module = imported("from time import sleep\ndef wait(by=sleep): return by\nclass C:\n by = sleep\nL = [(1, sleep)]")
    references.restore()
    found = [module.sleep, module.wait(), module.C.by, module.L[0][1]]
    assert [one is time.sleep for one in found] == [True] * 4


def test_what_was_copied_in_a_session_is_exchanged_in_the_next(everywhere: References) -> None:
    gc.collect()
    everywhere.install()
    module = imported("from time import sleep")
    everywhere.restore()
    everywhere.install()
    assert (module.sleep is simulated_sleep, everywhere.searches) == (True, 2)


def test_a_replacement_keeps_its_own_name() -> None:
    module = imported("def replacement(): pass")
    own = References({time.sleep: module.replacement})
    own.install()
    imported("from time import sleep")
    own.restore()
    assert module.replacement is not time.sleep


def test_what_was_put_at_a_place_in_a_session_stays(references: References) -> None:
    module = imported("from time import sleep")
    references.install()
    module.sleep = print
    references.restore()
    assert module.sleep is print


def test_what_was_put_at_a_place_before_a_session_stays_and_its_original_comes_back_later(
    references: References, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = imported("from time import sleep")
    references.install()
    references.restore()
    with monkeypatch.context() as patched:
        patched.setattr(module, "sleep", print)
        references.install()
        inside = module.sleep
        references.restore()
    assert (inside, module.sleep) == (print, time.sleep)


def test_a_frozen_heap_is_searched_too(everywhere: References) -> None:
    module = imported("from time import sleep")
    gc.freeze()
    everywhere.install()
    assert module.sleep is simulated_sleep


@pytest.mark.slow
def test_many_containers_find_their_owners(everywhere: References, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(referrers, "MANY", 3)
    module = imported("CLOCKS = [(time.sleep,) for _ in range(5)]\nNAMES = {time.sleep}")
    told = everywhere.install()
    assert (len(told), [by is simulated_sleep for (by,) in module.CLOCKS]) == (1, [True] * 5)


KEPT = {
    "attribute": "c.by = time.sleep",
    "slot": "s.by = time.sleep",
    "list": "c.by = [time.sleep]",
    "dictionary": "c.by = {'sleep': time.sleep}",
    "tuple": "c.by = (time.sleep,)",
    "set": "c.by = {time.sleep}",
    "partial": "import functools\nc.by = functools.partial(time.sleep, 1)",
    "static method": "C.by = staticmethod(time.sleep)",
    "closure": "c.by = (lambda by: lambda: by)(time.sleep)",
}


@pytest.fixture(scope="module")
def living() -> dict[str, list[Any]]:
    """Which objects with a place of each kind exist after a session if nothing else needs them."""
    text = "class C: pass\nc = C()\nclass S: __slots__ = '__weakref__', 'by'\ns = S()\n"
    modules = {name: imported(text + more) for name, more in KEPT.items()}
    found = {name: [weakref.ref(one) for one in (at.c, at.s, at.C)] for name, at in modules.items()}
    references = References({time.sleep: simulated_sleep})
    references.install()
    references.restore()
    for module in modules.values():
        vars(module).clear()
    gc.collect()
    assert not references.is_installed  # but it exists, with the places that it remembers
    return {name: [one() for one in those if one() is not None] for name, those in found.items()}


@pytest.mark.parametrize("name", KEPT)
def test_objects_live_no_longer_than_without_a_session(name: str, living: dict[str, list[Any]]) -> None:
    assert living[name] == []


@pytest.mark.parametrize("container", ["[time.sleep, S()]", "{'by': time.sleep, 'with': S()}", "(time.sleep, S())"])
def test_what_lies_beside_an_original_lives_no_longer_than_without_a_session(
    container: str, references: References
) -> None:
    module = imported(f"class C: pass\nclass S: pass\nc = C()\nc.by = {container}")
    beside = list(module.c.by.values()) if isinstance(module.c.by, dict) else list(module.c.by)
    living = weakref.ref(beside.pop())
    references.install()
    references.restore()
    module.c = None
    assert living() is None


def test_no_place_is_noted_twice(references: References) -> None:
    found = []
    for _ in range(3):
        references.install()
        imported("from time import sleep")
        references.restore()
        found.append(len(references._places))  # noqa: SLF001  # it is seen nowhere else
    assert found[2] - found[1] == found[1] - found[0] == 1


def test_a_static_method_keeps_what_is_said_of_it(references: References) -> None:
    module = imported("class C: wait = staticmethod(time.sleep)\nvars(C)['wait'].__doc__ = 'Waits.'")
    before = dict(vars(vars(module.C)["wait"]))
    references.install()
    inside = dict(vars(vars(module.C)["wait"]))
    references.restore()
    assert inside == dict(vars(vars(module.C)["wait"])) == before


def test_what_only_running_code_holds_lives_no_longer_than_without_a_session(references: References) -> None:
    class Client:
        pass

    options = {"sleep": time.sleep, "client": Client()}
    living = weakref.ref(options["client"])
    references.install()
    references.restore()
    del options
    assert living() is None


def test_what_running_code_holds_is_found_in_each_session(references: References) -> None:
    options = {"sleep": time.sleep}
    found = []
    for _ in range(3):
        references.install()
        found.append(options["sleep"] is simulated_sleep)
        references.restore()
    assert found == [True] * 3


CLASS = """
class Original:
    def kind(self): return type(self), super().__repr__() != '', __class__
class Heir(Original): pass
old, heir = Original(), Heir()
def make(what: Original = None, of=Original) -> Original: return of()
KINDS = {Original: 'original'}
NAMES = [Original]
"""


def test_a_class_is_exchanged_as_a_thing_to_call_and_stays_the_class_of_what_there_is() -> None:
    module = imported(CLASS)

    class Replacement:
        pass

    original = module.Original
    references = References({original: Replacement})
    told = references.install()
    called = [module.Original, module.NAMES[0], type(module.make())]
    kept = [*module.old.kind(), module.Heir.__bases__, *module.KINDS]
    references.restore()
    assert (told, called) == ([], [Replacement] * 3)
    assert kept == [original, True, original, (original,), original]
    assert (module.Original, module.NAMES, module.make.__defaults__) == (original, [original], (None, original))


class Failing(Entries):
    """A place that cannot be exchanged."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(Strong({}, sys), ())
        self.error: BaseException | None = error

    def exchange(self, _: object) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("number", [0, 1, 5])
def test_an_exception_in_install_leaves_nothing_exchanged(
    kind: type[BaseException], number: int, references: References
) -> None:
    module = imported("from time import sleep\nPLACES = [[sleep] for _ in range(6)]")
    references.install()
    references.restore()
    assert len(references._places) > number  # noqa: SLF001  # no place fails by itself
    references._places.insert(number, Failing(kind()))  # noqa: SLF001  # as above
    with pytest.raises(kind):
        references.install()
    left = [one for one in (module.sleep, *itertools.chain(*module.PLACES)) if one is not time.sleep]
    assert (left, references.is_installed) == ([], False)


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("number", [0, 1, 5])
def test_an_exception_in_restore_leaves_nothing_exchanged(
    kind: type[BaseException], number: int, references: References
) -> None:
    module = imported("from time import sleep\nPLACES = [[sleep] for _ in range(6)]")
    references.install()
    assert len(references._places) > number  # noqa: SLF001  # no place fails by itself
    references._places.insert(number, Failing(kind()))  # noqa: SLF001  # as above
    with pytest.raises(kind):
        references.restore()
    left = [one for one in (module.sleep, *itertools.chain(*module.PLACES)) if one is not time.sleep]
    assert (left, references.is_installed) == ([], False)


def test_a_session_in_a_session_is_refused(references: References) -> None:
    references.install()
    with pytest.raises(RuntimeError, match="installed"):
        references.install()


def test_nothing_is_restored_before_a_session(references: References) -> None:
    references.restore()
    assert references.searches == 0


def test_two_originals_with_one_replacement_are_refused() -> None:
    with pytest.raises(ValueError, match="share a replacement"):
        References({time.sleep: simulated_sleep, time.ctime: simulated_sleep})


LIBRARIES = ("aiohttp_retry", "backoff", "botocore.httpsession", "botocore.retries.standard", "botocore.retryhandler")
LIBRARIES += (
    "google.api_core.retry",
    "google.api_core.retry_async",
    "opnieuw",
    "pybreaker",
    "pyresilience",
    "retrying",
)
LIBRARIES += ("stamina", "tenacity", "urllib3")


def _like(real: Any) -> Callable[..., Any]:
    def like(*args: Any, **more: Any) -> Any:
        return real(*args, **more)

    return like


def test_no_reference_of_a_retry_library_is_left_and_none_stays_exchanged() -> None:
    for name in LIBRARIES:
        pytest.importorskip(name)
        importlib.import_module(name)
    names = ("time", "monotonic", "perf_counter", "sleep", "time_ns", "monotonic_ns", "perf_counter_ns")
    originals = (*(getattr(time, name) for name in names), random.random)
    references = References({original: _like(original) for original in originals})
    packages = {name.partition(".")[0] for name in LIBRARIES} | {"random", "time", "asyncio", "threading", "queue"}
    told = references.install()
    left = _holders(originals, packages)
    references.restore()
    stays = _holders(references._replacements, packages)  # noqa: SLF001  # what must be nowhere
    assert (told, left, stays, references.searches) == ([], [], [], 1)


def _holders(functions: Any, packages: set[str]) -> list[str]:
    """Return the modules from which a reference to one of the functions can be reached."""
    sought = {id(function) for function in functions}
    found = []
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages:
            seen: dict[int, Any] = {}
            ahead = [vars(module)]
            while ahead:
                here = ahead.pop()
                for one in gc.get_referents(here):
                    if id(one) in sought:
                        found.append(f"{type(here).__name__} in {name}")
                    is_elsewhere = getattr(one, "__module__", name) != name or isinstance(one, types.ModuleType)
                    if gc.is_tracked(one) and id(one) not in seen and not is_elsewhere and one is not sys.modules:
                        seen[id(one)] = one
                        ahead.append(one)
    return found

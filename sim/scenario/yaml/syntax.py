"""Words for PyYAML's syntax errors, for users who do not know how a YAML parser works."""

import re

from yaml import MarkedYAMLError

_WORDS: tuple[tuple[str, str], ...] = (
    (r"found character '\\t' that cannot start any token", "a tab cannot stand here; use spaces"),
    (r"found a tab character .*", "a tab cannot stand here; use spaces"),
    (r"found character '(.+)' that cannot start any token", r"text cannot begin with {0}; put it in quotes"),
    (
        r"mapping values are not allowed here",
        "a key with ':' cannot stand here; check the indentation, and put text that has ': ' in quotes",
    ),
    (r"found incompatible YAML document .*", "this is not YAML 1"),
    (r"mapping keys are not allowed here", "a key with '?' cannot stand here"),
    (r"sequence entries are not allowed here", "a list entry ('- ') cannot stand here; check the indentation"),
    (r"expected <block end>, but found .*", "this line does not fit the ones above; check its indentation"),
    (r"could not find expected ':'", "a key without ':' behind it"),
    (r"expected ',' or '\]', but got .*", "the list that begins in line {line} lacks a ',' or its ']'"),
    (r"expected ',' or '\}', but got .*", "the mapping that begins in line {line} lacks a ',' or its '}}'"),
    (r"found unexpected end of stream", "the quote that begins in line {line} is never closed"),
    (r"found unexpected document separator", "the quote that begins in line {line} is not closed before the '---'"),
    (r"expected the node content, but found '<stream end>'", "the text ends where a value should be"),
    (r"expected the node content, but found '(.*)'", "a value should stand here, not '{0}'"),
    (r"expected '<document start>', but found .*", "the scenario has ended above; what is this?"),
    (r"found unknown escape character '(.*)'", "'\\{0}' means nothing inside double quotes; use single quotes"),
    (r"while scanning an? (?:anchor|alias)", "'&' and '*' cannot begin a text; put it in quotes"),
    (r"expected alphabetic or numeric character, but found .*", "'&', '*' and '!' cannot begin a text; use quotes"),
    (r"found undefined tag handle .*|expected .*'!'.*", "tags ('!') are not allowed; put the text in quotes"),
)
_COMPILED = tuple((re.compile(pattern), words) for pattern, words in _WORDS)


def in_words(error: MarkedYAMLError) -> str:
    """Say what is wrong with the syntax, if need be in PyYAML's own words."""
    problem = error.problem or ""
    opened = error.context_mark or error.problem_mark
    line = opened.line + 1 if opened else 1
    for pattern, words in _COMPILED:
        if match := pattern.fullmatch(problem):
            return words.format(*match.groups(), line=line)
    context = f" {error.context}" if error.context else ""
    return f"not valid YAML:{context} {problem}".rstrip()

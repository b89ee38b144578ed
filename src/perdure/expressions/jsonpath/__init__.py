"""JSONPath as Jayway's Java library, and so Amazon's States Language, understands it.

A path is compiled once and read many times. What a path may say: `$`, `.name`, `['name']`, `['a','b']`, `[0]`, `[-1]`,
`[0,2]`, `[1:3]`, `*`, `..`, filters `[?(@.price < 10 && @.isbn)]` and the functions `length() min() max() avg() sum()
keys() first() last()` at the end. A *definite* path names one place and reads as its value, or fails where there is
none; any other reads as a list, which may be empty. docs/expressions.md measures the difference to other libraries.
"""

from perdure.expressions.jsonpath.parse import InvalidPath, compile_path
from perdure.expressions.jsonpath.path import Path, PathNotFound

__all__ = ["InvalidPath", "Path", "PathNotFound", "compile_path"]

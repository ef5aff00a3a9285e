"""Tells scripts that are written for Python 2, by the errors they end with."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import sys
import traceback
from types import TracebackType

# What Python 3 says of Python 2's syntax; for "invalid syntax" the line itself decides.
_SYNTAX = {
    r"Missing parentheses in call to '(print|exec)'": "{0} without parentheses",
    r"multiple exception types must be parenthesized": "'except X, e'",
    r"leading zeros in decimal integer literals": "a number like 0777",
    r"parameters cannot be parenthesized": "a tuple among a function's parameters",
    r"inconsistent use of tabs": "indentation by tabs and spaces mixed",
}
_LINES = {
    r"\b(0[xX][\da-fA-F]+|\d+)[lL]\b": "a number like {0}L",
    r"<>": "<>",
    r"`[^`]+`": "a value in `backquotes`",
    r"\bprint\b(?!\s*\()": "print without parentheses",
    r"\bexec\s+\w": "exec without parentheses",
    r"\braise\s+[\w.]+\s*,": "'raise X, value'",
    r"\bexcept\b[^:]+,\s*\w+\s*:": "'except X, e'",
    r"\b[uU][rR][\"']": "a literal like ur''",
    r"\b(def|lambda)\b[^:]*\(\s*\w+\s*,": "a tuple among a function's parameters",
}
# What 2to3 turns into something else: names, modules, methods, and what is no list any more.
_NAMES = "xrange unicode raw_input basestring unichr long reduce execfile reload intern apply".split()
_MODULES = (
    "BaseHTTPServer CGIHTTPServer ConfigParser Cookie Dialog DocXMLRPCServer FileDialog HTMLParser Queue ScrolledText "
    "SimpleHTTPServer SimpleXMLRPCServer SocketServer StringIO Tix Tkconstants Tkdnd Tkinter __builtin__ _winreg anydbm "
    "cPickle cStringIO commands cookielib copy_reg dbhash dumbdbm dummy_thread gdbm htmlentitydefs httplib robotparser "
    "thread tkColorChooser tkCommonDialog tkFileDialog tkFont tkMessageBox tkSimpleDialog ttk urllib2 urlparse whichdb "
    "xmlrpclib"
).split()
_URLLIB = (
    "urlopen urlretrieve urlencode urlcleanup quote quote_plus unquote unquote_plus pathname2url".split()
)
_ITERTOOLS = "izip imap ifilter ifilterfalse izip_longest".split()


def _any(words: list[str]) -> str:
    return f"({'|'.join(words)})"


_RUNNING = {
    rf"name '{_any(_NAMES)}' is not defined": "{0}",
    rf"No module named '{_any(_MODULES)}'": "the module {0}",
    rf"cannot import name '{_any(_ITERTOOLS)}' from 'itertools'": "itertools.{0}",
    rf"module 'itertools' has no attribute '{_any(_ITERTOOLS)}'": "itertools.{0}",
    rf"cannot import name '{_any(_URLLIB)}' from 'urllib'": "urllib.{0}",
    rf"module 'urllib' has no attribute '{_any(_URLLIB)}'": "urllib.{0}",
    r"module 'sys' has no attribute 'maxint'": "sys.maxint",
    r"module 'os' has no attribute 'getcwdu'": "os.getcwdu",
    r"object has no attribute '(iteritems|iterkeys|itervalues|viewitems|viewkeys|viewvalues|has_key)'": "dict.{0}",
    r"'(?:generator|_io\.\w+|\w*iterator|csv\.reader|_csv\.reader)' object has no attribute 'next'": "the method next",
    r"unsupported operand type\(s\) for >>: 'builtin_function_or_method'": "'print >>file'",
    r"'(map|filter|zip|dict_keys|dict_values|dict_items)' object is not subscriptable": "the list that {0} was",
    r"object of type '(map|filter|zip)' has no len": "the list that {0} was",
    r"'(?:dict_keys|dict_values|dict_items)' object has no attribute '(sort|index|append|remove)'": "the list that "
    "dict.keys() was",
}


def verdict(error: BaseException, frames: TracebackType | None, typed: dict[str, str]) -> str | None:
    """One line that says that the script is Python 2 and how to convert it; None for any other error.

    `frames` are the script's own; `typed` has its name as it was typed, which the line uses, by its path.
    """
    if isinstance(error, SyntaxError):
        what = _syntax(error)
        where, line = error.filename, error.lineno
    else:
        where, line = _place(frames)
        what = _running(error, where)
    if what is None or not where or not os.path.isfile(where):
        return None
    where = typed.get(where, where)
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return f"{where}:{line}: {what} is Python 2, and this is {version}; convert it with 2to3: {_command(where, error)}"


_FLOAT_FOR_INT = re.compile(
    r"'(numpy\.)?float(64)?' object cannot be interpreted as an integer|slice indices must be integers|indices must be "
    r"integers or slices, not float|^only integers, slices|single integer, got '[\d.]+'|by non-int of type 'float'"
)


def advice(error: BaseException, frames: TracebackType | None) -> str | None:
    """A line about division, for a script that has been converted and divides where the error is."""
    if not isinstance(error, (TypeError, IndexError)) or not _FLOAT_FOR_INT.search(str(error)):
        return None
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(frames)}
    if not any(_divides(file) for file in files):
        return None
    return (
        "in Python 2 a whole number divided by a whole number was a whole number, and 2to3 leaves / as it is; write // "
        "where a size or an index comes of it"
    )


def _divides(file: str) -> bool:
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Div) for node in ast.walk(tree))


def _syntax(error: SyntaxError) -> str | None:
    for said, lines in ((error.msg or "", _SYNTAX), (error.text or "", _LINES)):
        for pattern, what in lines.items():
            found = re.search(pattern, said)
            if found:
                return what.format(*found.groups())
    return None


def _running(error: BaseException, where: str) -> str | None:
    if not isinstance(error, (NameError, ImportError, AttributeError, TypeError)):
        return None
    for pattern, what in _RUNNING.items():
        found = re.search(pattern, str(error))
        if found:
            return what.format(*found.groups())
    if isinstance(error, ModuleNotFoundError) and error.name:
        # A module beside another one of its package.
        folder = os.path.dirname(where)
        beside = os.path.join(folder, error.name)
        if os.path.isfile(os.path.join(folder, "__init__.py")) and (
            os.path.isfile(f"{beside}.py") or os.path.isfile(os.path.join(beside, "__init__.py"))
        ):
            return f"'import {error.name}' of the module beside it"
    return None


def _place(frames: TracebackType | None) -> tuple[str, int]:
    """The file and line where the error was raised; none where that is a library."""
    from caffe_compat.pycaffe.old_scripts import is_script

    where = ("", 0)
    for frame, line in traceback.walk_tb(frames):
        if not frame.f_code.co_filename.startswith("<frozen"):
            where = (frame.f_code.co_filename, line) if is_script(frame) else ("", 0)
    return where


def _command(where: str, error: BaseException) -> str:
    """What to type: lib2to3 came with Python up to 3.12; fissix is the same for later ones."""
    python = os.path.basename(sys.executable or "python3")
    if shutil.which(python) != sys.executable:
        python = shlex.quote(sys.executable)
    target = shlex.quote(where)
    before = ""
    if isinstance(error, TabError):
        base, extension = os.path.splitext(where)
        target = shlex.quote(f"{base}_3{extension}")
        before = f"expand {shlex.quote(where)} > {target} && "
    if importlib.util.find_spec("lib2to3") is not None:
        return f"{before}{python} -m lib2to3 -w -n {target}"
    install = "" if importlib.util.find_spec("fissix") else f"{python} -m pip install fissix && "
    return f"{before}{install}{python} -m fissix -w -n {target}"

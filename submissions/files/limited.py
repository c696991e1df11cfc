"""Reading in a process of its own, of limited time, memory and reach: a file can end the reader and nothing else.

What comes back is bytes or JSON, never pickle: whoever took over the reader could put code into a pickle.
"""

import ctypes
import faulthandler
import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection

from submissions.files.codes import refused
from submissions.files.source import RefusedError

MEMORY = 2**30
SECONDS = 8
"""Seconds of the clock for one file: with start and end an answer comes within ten."""
_LARGEST_ANSWER = 2**30
_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000
_DEATH_SIGNAL = 1
_MOST_HEAPS = -8


def run_limited(
    function: Callable[..., object], *args: object, seconds: float = SECONDS, memory: int = MEMORY
) -> object:
    """What `function` returns (JSON values or bytes), called in a limited process.

    Raises the `RefusedError` that it raises, or one that says why the process did not finish: `TOO_SLOW` (seconds of
    the clock), `TOO_MUCH_MEMORY` (bytes, all that is resident counted), `READER_DIED`.
    """
    # A fork is quick and has all that is imported, but a lock that another thread holds would stay locked in it.
    kind = "fork" if threading.active_count() == 1 else "forkserver"
    context = multiprocessing.get_context(kind)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, function, args, seconds, memory), daemon=True)
    child.start()
    theirs.close()
    try:
        answer = ours.recv_bytes(_LARGEST_ANSWER) if ours.poll(seconds) else None
    except (EOFError, OSError):
        child.join(5)
        raise refused(why_it_died([child.exitcode]), seconds=seconds) from None
    finally:
        ours.close()
        if child.is_alive():
            child.kill()
        child.join()
    if answer is None:
        raise refused("TOO_SLOW", seconds=seconds)
    return _unpacked(answer, seconds)


def limit_this_process(memory: int | None = MEMORY, seconds: float | None = None, *, writes: bool = False) -> None:
    """Limit this process for good: memory in bytes, seconds of processor time, no core files, no network.

    `writes` says whether it may write files. What is allowed to be shut off depends on the system; what is not is left.
    """
    _limit(resource.RLIMIT_CORE, 0)
    if memory is not None:
        _share_one_heap()
        _limit(resource.RLIMIT_AS, _mapped() + max(memory - _resident(), 2**22))
    if seconds is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 1)
    if not writes:
        _limit(resource.RLIMIT_FSIZE, 0)
        _limit(resource.RLIMIT_NOFILE, 64)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        # Alone where we are root (which would lose its rights over files otherwise), else inside users of our own.
        if libc.unshare(_NEW_NETWORK) != 0:
            libc.unshare(_NEW_NETWORK | _NEW_USERS)


def why_it_died(exit_codes: Iterable[int | None]) -> str:
    """The code of `codes.REFUSALS` for limited processes that ended so (``-signal``, or what they returned)."""
    ended = set(exit_codes)
    if -signal.SIGXCPU in ended:
        return "TOO_SLOW"
    # What is not written in Python aborts where there is no memory; Python itself returns 1 where there is not even
    # enough to tell of it.
    return "TOO_MUCH_MEMORY" if ended & {-signal.SIGABRT, 1} else "READER_DIED"


def _share_one_heap() -> None:
    """Have all threads allocate from one heap: a second one would reserve 128 MB of what is allowed, used or not."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MOST_HEAPS, 1)


def die_with_parent() -> None:
    """Have this process killed when the one that forked it ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def _child(
    answers: Connection, function: Callable[..., object], args: tuple[object, ...], seconds: float, memory: int
) -> None:
    die_with_parent()
    faulthandler.disable()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    limit_this_process(memory, seconds)
    try:
        answer = _packed(function(*args))
    except RefusedError as error:
        answer = b"R" + json.dumps([error.code, str(error)]).encode()
    except (MemoryError, RecursionError):
        answer = b"M"
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent is told by its kind, not its text
        answer = b"E" + type(error).__name__.encode()
    try:
        answers.send_bytes(answer)
    except MemoryError:
        answers.send_bytes(b"M")
    os._exit(0)


def _packed(answer: object) -> bytes:
    if isinstance(answer, bytes):
        return b"B" + answer
    return b"J" + json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _unpacked(answer: bytes, seconds: float) -> object:
    kind, body = answer[:1], answer[1:]
    if kind == b"B":
        return body
    if kind == b"J":
        return json.loads(body)
    if kind == b"R":
        code, message = json.loads(body)
        raise RefusedError(code, message)
    raise refused("TOO_MUCH_MEMORY" if kind == b"M" else "READER_DIED")


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))


def _mapped() -> int:
    return _pages()[0] * resource.getpagesize()


def _resident() -> int:
    return _pages()[1] * resource.getpagesize()


def _pages() -> tuple[int, int]:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            mapped, resident, *_ = statm.read().split()
    except OSError:
        return 0, 0
    return int(mapped), int(resident)

"""What runs in a process of its own: one task after another, as they come in on stdin.

The process ends with its parent, however that ends: then stdin does. It ends by itself when
nothing has come in for a while.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import traceback
from typing import IO, Any

#: Seconds without a task after which a child ends.
IDLE = 60.0


def send(stream: IO[bytes], message: object) -> None:
    """One message: its length in eight bytes, then its pickle."""
    data = pickle.dumps(message)
    stream.write(len(data).to_bytes(8, "big") + data)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """The pickle of the next message; None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    length = int.from_bytes(head, "big")
    data = stream.read(length)
    return data if len(data) == length else None


def serve() -> None:
    """Answer messages ``(function, argument)`` by ``("begun", …)``, then by the result.

    The result is ``("done", value)`` or ``("failed", reason)``.
    """
    answers = os.fdopen(os.dup(1), "wb")
    # What a user's cell prints is no answer.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    messages: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(messages,), daemon=True).start()
    send(answers, ("ready", None))
    while True:
        try:
            message = messages.get(timeout=IDLE)
        except queue.Empty:
            return
        send(answers, ("begun", None))
        answer = _answer(message)
        try:
            send(answers, answer)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            send(answers, ("failed", f"its result cannot be sent: {error}"))


def _read(messages: queue.Queue[bytes]) -> None:
    stream = sys.stdin.buffer
    while (data := receive(stream)) is not None:
        messages.put(data)
    # The parent is gone: nobody waits for what is being computed.
    os._exit(0)


def _answer(message: bytes) -> tuple[str, Any]:
    try:
        function, argument = pickle.loads(message)
        return "done", function(argument)
    except Exception as error:
        return "failed", described(error)


def described(error: BaseException) -> str:
    """The kind of an error, its message, and the line of symgrad or the user it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames:
        last = frames[-1]
        where = f" ({os.path.basename(last.filename)}, line {last.lineno})"
    text = str(error)
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"

"""A listener for Kahi and supervisord alike: ``recording_listener.py FILE [WORD TYPE]...``.

It writes what it gets to FILE, one JSON list of header and payload for each event. For an event
whose header or payload holds TYPE it does what WORD says: ``fail`` and ``odd`` refuse it when it
comes for the first time, ``hang`` never answers, ``slow`` takes a while, ``die`` kills the listener,
``babble`` breaks the protocol, ``wait`` answers once FILE.go is there. ``babble now`` speaks before
it is asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

path, words = sys.argv[1], sys.argv[2:]
rules = list(zip(words[::2], words[1::2], strict=True))
events = open(0, encoding="utf-8", errors="surrogateescape", newline="\n")  # noqa: SIM115
seen: set[str] = set()


def say(text: str) -> None:
    """Speak to the supervisor."""
    os.write(1, text.encode())


def act(word: str, event: str) -> str:
    """Do what a rule says; returns the answer."""
    if word in ("fail", "odd") and event not in seen:
        seen.add(event)
        return "RESULT 4\nFAIL" if word == "fail" else "RESULT 3\nodd"
    if word == "hang":
        time.sleep(3600)
    if word == "slow":
        time.sleep(0.2)
    if word == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "babble":
        return "something else\n"
    while word == "wait" and not os.path.exists(f"{path}.go"):
        time.sleep(0.01)
    return "RESULT 2\nOK"


print(f"listener {os.getpid()} begins", file=sys.stderr, flush=True)
if ("babble", "now") in rules:
    say("hello\n")
while True:
    say("READY\n")
    header = events.readline()
    if not header:
        break
    payload = events.read(int(header.rpartition("len:")[2]))
    with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(json.dumps([header, payload]) + "\n")
    answer = "RESULT 2\nOK"
    for word, wanted in rules:
        if wanted in header + payload:
            answer = act(word, header + payload)
    say(answer)

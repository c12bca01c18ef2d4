#!/usr/bin/python3
"""Listens for executions and notes when it hears of each: "ID MICROSECONDS" of
the monotonic clock, a line each, when it is told to end. Arguments: the file;
libpq's variables say where."""
import json
import signal
import sys
import time

import psycopg

heard = []


def end(_signal, _frame):
    raise SystemExit


signal.signal(signal.SIGTERM, end)
try:
    with psycopg.connect(autocommit=True) as db:
        db.execute("LISTEN cp_webhook")
        print("listening", flush=True)
        for notification in db.notifies():
            heard.append((notification.payload, time.monotonic_ns() // 1000))
finally:
    with open(sys.argv[1], "w", encoding="ascii") as file:
        for payload, at in heard:
            print(json.loads(payload)["pipelineExecutionId"], at, file=file)

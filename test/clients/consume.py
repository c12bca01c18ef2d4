#!/usr/bin/python3
"""Does the work of executions inside the database, each exactly once: claim,
work and end are one transaction. Arguments: pipelines; none: all of them."""
import os
import select
import sys

import psycopg

worker = f"{os.uname().nodename}-{os.getpid()}"
pipelines = sys.argv[1:] or None
woken = False


def wake(_notification):
    global woken
    woken = True


def work(db):
    with db.transaction():
        claim = db.execute("SELECT id, nonce FROM cp_webhook.claim_executions(%s, %s)", (worker, pipelines)).fetchone()
        if claim is None:
            return False
        db.execute("INSERT INTO work_done (execution, worker) VALUES (%s, %s)", (claim[0], worker))
        db.execute("SELECT cp_webhook.complete_execution(%s, %s)", claim)
    return True


with psycopg.connect(autocommit=True) as db:
    db.add_notify_handler(wake)
    db.execute("LISTEN cp_webhook")
    db.execute("LISTEN cp_webhook_turn")
    while True:
        woken = False
        while work(db):
            pass
        if not woken:
            select.select([db], [], [], 5)

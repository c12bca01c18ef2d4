"""A receiver of GitHub's pushes in Python: FastAPI on uvicorn, asyncpg for
PostgreSQL. One prepared statement on a pool, the answer follows the commit."""
import hashlib
import hmac
import json
import os

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

SECRET = os.environ["SECRET"].encode()
POOL = int(os.environ["POOL"]) // int(os.environ["WORKERS"])
with open(os.environ["STORE"], encoding="utf-8") as file:
    STORE = file.read()

app = FastAPI()


@app.on_event("startup")
async def connect():
    app.state.pool = await asyncpg.create_pool(min_size=POOL, max_size=POOL)


@app.post("/{path:path}")
async def take(request: Request):
    body = await request.body()
    headers = request.headers
    key = headers.get("x-github-delivery")
    signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not key or not hmac.compare_digest(signature, headers.get("x-hub-signature-256", "")):
        return JSONResponse({"error": "bad_signature"}, 401)
    text = body.decode()
    if json.loads(text).get("ref") != "refs/heads/main":
        return JSONResponse({"status": "ignored"})
    row = await app.state.pool.fetchrow(
        STORE, key, headers.get("x-github-event"), json.dumps(dict(headers)), text, request.client.host)
    if row is None:
        return JSONResponse({"status": "duplicate"})
    return JSONResponse({"status": "triggered", "pipelineExecutionId": row[0]})

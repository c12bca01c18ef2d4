#!/usr/bin/python3
"""boto.py: Debian's boto3, with its parameters validated, and botocore's signer
against ours: on the published vectors, and on requests of every kind."""
import datetime
import os
import random
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ParamValidationError

ENDPOINT = os.environ["ENDPOINT"]
passed = failed = 0


def check(name, actual, expected):
    global passed, failed
    if actual == expected:
        passed += 1
    else:
        failed += 1
        print(f"not ok: {name}: {actual!r}, expected {expected!r}")


def client(**options):
    return boto3.client("codepipeline", endpoint_url=ENDPOINT, region_name="us-east-1",
                        config=Config(retries={"max_attempts": 0}, parameter_validation=True), **options)


def action(name, category, **more):
    kind = {"category": category, "owner": "Custom", "provider": "Any", "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


def pipeline(name):
    return {"name": name, "roleArn": "arn:aws:iam::000000000000:role/none", "stages": [
        {"name": "Source", "actions": [action("Repository", "Source", configuration={"Branch": "main"}, runOrder=1)]},
        {"name": "Build", "actions": [action("Make", "Build")]}]}


def webhook(name, target):
    return {"name": name, "targetPipeline": target, "targetAction": "Repository",
            "filters": [{"jsonPath": "$.ref", "matchEquals": "refs/heads/{Branch}"}],
            "authentication": "UNAUTHENTICATED", "authenticationConfiguration": {}}


def operations():
    aws = client()
    answer = aws.create_pipeline(pipeline=pipeline("boto"), tags=[{"key": "k", "value": "ä\n"}])
    check("create_pipeline", answer["pipeline"]["version"], 1)
    check("its status", answer["ResponseMetadata"]["HTTPStatusCode"], 200)
    check("its request id", bool(re.fullmatch(r"[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])), True)
    check("its tags", answer["tags"], [{"key": "k", "value": "ä\n"}])
    url = aws.put_webhook(webhook=webhook("boto", "boto"))["webhook"]["url"]
    request = urllib.request.Request(url, b'{"ref": "refs/heads/main"}', {"Content-Type": "application/json"})
    check("a push", urllib.request.urlopen(request, timeout=20).status, 200)
    summaries = aws.list_pipeline_executions(pipelineName="boto")["pipelineExecutionSummaries"]
    check("the execution", [s["trigger"]["triggerType"] for s in summaries], ["Webhook"])
    now = datetime.datetime.now(datetime.timezone.utc)
    check("its time", abs((now - summaries[0]["startTime"]).total_seconds()) < 120, True)
    check("a fraction of it", isinstance(summaries[0]["startTime"], datetime.datetime), True)
    metadata = aws.get_pipeline(name="boto")["metadata"]
    check("created", abs((now - metadata["created"]).total_seconds()) < 120, True)
    # Written behind, so it may not be there yet; then the member is absent.
    triggered = aws.list_webhooks()["webhooks"][0].get("lastTriggered", now)
    check("lastTriggered", abs((now - triggered).total_seconds()) < 120, True)
    tokens = [aws.start_pipeline_execution(name="boto", clientRequestToken=t)["pipelineExecutionId"] for t in ("a", "b", "a")]
    check("a request token", (tokens[0] == tokens[2], tokens[0] == tokens[1]), (True, False))

    pages = aws.get_paginator("list_pipeline_executions").paginate(pipelineName="boto", PaginationConfig={"PageSize": 1})
    check("pages", [len(page["pipelineExecutionSummaries"]) for page in pages], [1, 1, 1])
    for name in ("x", "y"):
        aws.create_pipeline(pipeline=pipeline(name))
    pages = aws.get_paginator("list_pipelines").paginate(PaginationConfig={"PageSize": 2})
    check("pages of pipelines", [p["name"] for page in pages for p in page["pipelines"]], ["boto", "x", "y"])
    for name in ("x", "y"):
        check("an empty answer", set(aws.delete_pipeline(name=name)), {"ResponseMetadata"})


def errors():
    aws = client()

    def raised(call, **arguments):
        try:
            call(**arguments)
        except ClientError as error:
            return type(error).__name__, error.response["ResponseMetadata"]["HTTPStatusCode"]
        return None

    for call, arguments, name in (
            (aws.get_pipeline, {"name": "none"}, "PipelineNotFoundException"),
            (aws.get_pipeline, {"name": "boto", "version": 9}, "PipelineVersionNotFoundException"),
            (aws.create_pipeline, {"pipeline": pipeline("boto")}, "PipelineNameInUseException"),
            (aws.put_webhook, {"webhook": webhook("w", "none")}, "PipelineNotFoundException"),
            (aws.list_webhooks, {"NextToken": "odd"}, "InvalidNextTokenException"),
            (aws.tag_resource, {"resourceArn": "arn:aws:codepipeline:us-east-1:000000000000:none",
                                "tags": [{"key": "k", "value": "v"}]}, "ResourceNotFoundException"),
            (aws.get_pipeline, {"name": "a b"}, "ValidationException")):
        check(name, raised(call, **arguments), (name, 400))
    try:
        aws.get_pipeline(name="none")
    except aws.exceptions.PipelineNotFoundException as error:
        check("the message", error.response["Error"]["Message"], "pipeline not found: 'none'")
    try:
        aws.get_pipeline()
        check("a missing parameter", "sent", "refused")
    except ParamValidationError:
        check("a missing parameter", "refused", "refused")
    for key, secret, code in ((os.environ["AWS_ACCESS_KEY_ID"], "wrong", "InvalidSignatureException"),
                              ("CPWAAAAAAAAAAAAAAAAA", "wrong", "UnrecognizedClientException"),
                              (os.environ["NOBODY_KEY"], os.environ["NOBODY_SECRET"], "AccessDeniedException")):
        other = client(aws_access_key_id=key, aws_secret_access_key=secret)
        try:
            other.list_webhooks()
            check(code, "passed", "refused")
        except ClientError as error:
            check(code, error.response["Error"]["Code"], code)
    session = client(aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
                     aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"], aws_session_token="of/a+session==")
    check("a session token", "webhooks" in session.list_webhooks(), True)


# ---- signatures ----

def vectors():
    """The table of the unit test, which our verifier passes, signed by botocore."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "test_sigv4.c")
    with open(path, encoding="utf-8") as file:
        table = file.read().split("rows[] = {", 1)[1].split("\n\t};", 1)[0]
    strings = r'\{"(.*?)", "(.*?)", "(.*?)", "(.*?)",\s*"(.*?)",\s*"(.*?)",\s*"([0-9a-f]{64})"\}'
    rows = re.findall(strings, table)
    count = 0
    for name, method, target, headers, signed, body, signature in rows:
        target, headers, body = (text.encode().decode("unicode_escape").encode("latin-1").decode()
                                 for text in (target, headers, body))
        # Of a parameter that comes twice botocore signs one, as of a header.
        if name.startswith("get-vanilla-query-order-") and name != "get-vanilla-query-order-encoded":
            continue
        request = AWSRequest(method=method, url="https://example.amazonaws.com" + target, data=body.encode())
        request.headers["Host"] = "example.amazonaws.com"
        for line in headers.splitlines():
            request.headers[line.split(":", 1)[0]] = line.split(":", 1)[1]
        request.headers["X-Amz-Date"] = "20150830T123600Z"
        request.context["timestamp"] = "20150830T123600Z"
        path, _, query = target.partition("?")
        if query:
            request.url = "https://example.amazonaws.com" + path
            request.params = dict(urllib.parse.parse_qsl(query))
        auth = botocore.auth.SigV4Auth(
            Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "service", "us-east-1")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        check(f"botocore on {name}", auth.signature(text, request), signature)
        count += 1
    check("vectors", count >= 20, True)


def send(request, data):
    prepared = request.prepare()
    try:
        raw = urllib.request.Request(prepared.url, data, dict(prepared.headers.items()), method="POST")
        return urllib.request.urlopen(raw, timeout=20).status
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


def signer():
    """Requests of many kinds, signed by botocore, sent as they are."""
    credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    dice = random.Random(1)
    headers = {"X-Amz-Target": "CodePipeline_20150709.ListPipelines", "Content-Type": "application/x-amz-json-1.1"}
    for i in range(60):
        more = {f"X-Amz-Meta-{n}": "".join(dice.choice("ab  ,;=\"%~") for _ in range(dice.randrange(1, 20))).strip() or "x"
                for n in range(dice.randrange(3))}
        query = "&".join(f"{''.join(dice.choice('aB1-._~') for _ in range(3))}={dice.choice(['', 'x', '%20', '%2B', '%C3%A9'])}"
                         for _ in range(dice.randrange(4)))
        data = b'{"maxResults": %d}' % dice.randrange(1, 100)
        request = AWSRequest("POST", ENDPOINT + "/" + ("?" + query if query else ""), {**headers, **more}, data)
        botocore.auth.SigV4Auth(credentials, "codepipeline", "us-east-1").add_auth(request)
        check(f"signed by botocore: {more} {query}", send(request, data), 200)
    request = AWSRequest("POST", ENDPOINT + "/", dict(headers), b"")
    botocore.auth.SigV4QueryAuth(credentials, "codepipeline", "us-east-1", expires=60).add_auth(request)
    check("a URL signed by botocore", send(request, b""), 200)
    changed = AWSRequest("POST", request.url, dict(request.headers.items()), b"{}")
    check("with another body", str(send(changed, b"{}"))[:3], "400")


operations()
errors()
vectors()
signer()
aws = client()
aws.delete_webhook(name="boto")
aws.delete_pipeline(name="boto")
print(f"boto: {passed} passed, {failed} failed")
sys.exit(failed > 0)

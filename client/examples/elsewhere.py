#!/usr/bin/env python3
"""Submit a case, ask about values and watch links, over REST.

    elsewhere.py submit case.json    store a case and print the cases it is linked to
    elsewhere.py seen VALUE...       print where each value was seen
    elsewhere.py watch [SECONDS]     print changes of links, for so long

ELSEWHERE_URL is where the service is, http://127.0.0.1:7432 by default. The key, where
one is needed, is in the file that ELSEWHERE_KEY_FILE names: a key in the environment or
on a command line is read by others. Only the standard library is needed.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("ELSEWHERE_URL", "http://127.0.0.1:7432").rstrip("/")


def request(method, path, body=None, timeout=60):
    """Send a request and return the open answer; a problem ends the program."""
    headers = {"Accept": "application/json"}
    key_file = os.environ.get("ELSEWHERE_KEY_FILE")
    if key_file:
        try:
            with open(key_file, encoding="utf-8") as f:
                headers["Authorization"] = "Bearer " + f.read().strip()
        except OSError as e:
            sys.exit("%s: %s" % (key_file, e.strerror))
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    while True:
        r = urllib.request.Request(URL + path, data=data, headers=headers, method=method)
        try:
            return urllib.request.urlopen(r, timeout=timeout)
        except urllib.error.HTTPError as e:
            if e.code == 429:
                time.sleep(int(e.headers.get("Retry-After", "1")))
                continue
            try:
                problem = json.load(e)
            except ValueError:  # not of the service: a proxy before it
                sys.exit("%s answers %d %s" % (URL, e.code, e.reason))
            lines = ["%(status)d %(reason)s: %(detail)s" % problem]
            lines += ["  %(path)s: %(message)s" % p for p in problem.get("errors", [])]
            sys.exit("\n".join(lines))
        except urllib.error.URLError as e:
            sys.exit("%s does not answer: %s" % (URL, e.reason))


def submit(name):
    try:
        with open(name, encoding="utf-8") as f:
            case = json.load(f)
        path = "/v1/cases/%s/%s" % tuple(urllib.parse.quote(case[k], safe="") for k in ("tenant", "id"))
    except OSError as e:
        sys.exit("%s: %s" % (name, e.strerror))
    except (KeyError, TypeError, ValueError):
        sys.exit("%s: not a case as JSON with a tenant and an id" % name)
    with request("PUT", path, case) as answer:
        stored = json.load(answer)
    print(stored["caseRef"], stored["outcome"], "revision", stored["revision"])
    for link in stored["links"]:
        print("  %.3f %s %s ~ %s" % (link["likelihood"], link["tier"], link["a"], link["b"]))


def seen(values):
    with request("POST", "/v1/seen", {"observables": [{"value": v} for v in values]}) as answer:
        for r in json.load(answer)["results"]:
            where = ", ".join(s["tenant"] + "/" + s["case"] for s in r.get("sightings", []))
            print(r["observable"]["value"], r["status"], where)


def watch(seconds):
    over = time.monotonic() + seconds
    # Every 15 seconds there is a checkpoint, so that no read waits for long.
    with request("GET", "/v1/links:watch?since=3600s") as lines:
        for line in lines:
            message = json.loads(line)
            if "error" in message:
                sys.exit(message["error"]["detail"])
            event = message.get("event")
            if event:
                print(event["change"], event["link"]["a"], "~", event["link"]["b"], flush=True)
            if time.monotonic() > over:
                return


def main(args):
    if len(args) == 2 and args[0] == "submit":
        submit(args[1])
    elif len(args) > 1 and args[0] == "seen":
        seen(args[1:])
    elif args and args[0] == "watch" and len(args) < 3:
        watch(float(args[1]) if len(args) == 2 else 3600)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Lets a program that is no part of the project's environment be asked, a line of JSON at a time.

A client has a `version` and answers
    tables()         names of the tables of the schema `marts`, and their comments
    columns(table)   names, types in the client's words, comments
    query(sql)       rows
    reconnect()      by a new connection to the same address
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def serve(connect: Callable[[dict[str, str]], Any]) -> None:
    """Answer what is asked on standard input; the only argument says where the warehouse is."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    client = connect(json.loads(sys.argv[1]))
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            found = getattr(client, method)
            answer = {"answer": found(*arguments) if callable(found) else found}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), file=answers, flush=True)

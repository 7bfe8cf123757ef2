"""One call of dbt in a process of its own, on the project as it has been parsed.

`python -P dbt_process.py <parsed project> <arguments of dbt>`. dbt's own command parses the
project, writes its manifest twice and all it says to a second log, which for a small shop takes
longer than the SQL of its models. Exit codes are those of dbt: 1 where a model or a test fails, 2
where dbt itself does.
"""

import sys
from pathlib import Path

from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.parser.manifest import extended_mashumuro_decoder

LEAN = ["--no-write-json", "--log-level-file", "none"]  # the log stands in that of the run


def main(parsed_file: str, *arguments: str) -> int:
    manifest = Manifest.from_msgpack(
        Path(parsed_file).read_bytes(), decoder=extended_mashumuro_decoder
    )
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # dbt gives it no types
    outcome = dbtRunner(manifest).invoke([*LEAN, *arguments])
    if not isinstance(outcome.result, RunExecutionResult):
        print(outcome.exception)
        return 2
    target = Path(get_flags().TARGET_PATH)  # type: ignore[no-untyped-call]  # likewise
    outcome.result.write(str(target / "run_results.json"))
    return 0 if outcome.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""`sakugen declare`: sign a value that no meter gives, and list those that were signed."""

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metering.clock import SystemClock
from metering.errors import SakugenError
from metering.keys import load_signer
from sakugen.cli import terminal

if TYPE_CHECKING:
    from sakugen.declare import Listed, Values


class PreparedFileError(SakugenError):
    """A prepared TOML file that cannot be read."""


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(declare)


def declare(
    project: Annotated[Path, typer.Argument(help="The project.toml; the value goes into declared/ beside it.")],
    key: Annotated[Path | None, typer.Option(help="The operator's private key file.")] = None,
    toml: Annotated[Path | None, typer.Option(help="A prepared TOML file; --set goes before what it says.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="key=value or table.key=value; may be given more than once.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="The document that was read; its SHA-256 goes in.")] = None,
    *,
    show: Annotated[bool, typer.Option("--list", help="Show what was declared and what replaced it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; ask nothing.")] = False,
) -> None:
    """Sign a value that no meter gives: a reading of a display, a calibration, an exchange of meters, an invoice.

    Shows what will be signed; on a terminal it asks before it signs. Nothing is ever overwritten. Where `who` and
    `when` are not given, it is declared by the key's name, and now. docs/declared.md has an example of each kind.

    Example: sakugen declare project.toml --key operator.key --toml calibration.toml --file certificate.pdf
    """
    from sakugen.declare import DeclareError, given, listed, propose, write

    if show:
        _list(listed(project), as_json=as_json)
        return
    if key is None:
        raise DeclareError("--key is missing: the operator's private key file, by which the value is signed")
    signer = load_signer(key)
    proposal = propose(project, given(values or (), _prepared(toml)), file, signer.name, SystemClock().now_ms())
    if not as_json:
        typer.echo(proposal.data.decode())
        if sys.stdin.isatty():
            typer.confirm(f"Sign this as {signer.name}?", abort=True)
    write(proposal, signer)
    if as_json:
        told = {"file": str(proposal.path), "sha256": proposal.digest, "signer": signer.name}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{proposal.path}: signed by {signer.name}, SHA-256 {proposal.digest}")


def _prepared(path: Path | None) -> "Values":
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PreparedFileError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise PreparedFileError(f"{path}: {error}") from None


def _list(rows: "tuple[Listed, ...]", *, as_json: bool) -> None:
    if as_json:
        told = [
            {
                "file": row.declared.file,
                "sha256": row.declared.digest,
                "kind": row.declared.body.kind,
                "id": row.declared.body.id,
                "point": row.declared.body.point,
                "who": row.declared.body.who,
                "when": row.declared.body.when.isoformat(),
                "signer": row.signer,
                "replaced_by": row.replaced_by,
            }
            for row in rows
        ]
        typer.echo(json.dumps({"declared": told}, indent=2, ensure_ascii=False))
        return
    table = terminal.new_table("file", "id", "point", "who", "when", "signed by", "in force")
    for row in rows:
        body = row.declared.body
        state = "yes" if row.replaced_by is None else f"replaced by {row.replaced_by}"
        cells = (row.declared.file, body.id, body.point or "all", body.who, body.when.isoformat(), row.signer, state)
        table.add_row(*(terminal.escape(cell) for cell in cells))
    terminal.console().print(table)

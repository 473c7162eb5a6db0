"""`sakugen statement`, `sakugen verify` and `sakugen registry`: draw statements up, check them offline, serve them."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from metering.clock import SystemClock
from metering.config import load_toml
from metering.keys import KeyRing, load_signer
from sakugen.cli.explain import print_explanation

app = typer.Typer(no_args_is_help=True, help="The HTTP API that registries and verifiers pull from.")
statement_app = typer.Typer(no_args_is_help=True, help="Draw statements up, sign them, export their bundles.")

ConfigOption = Annotated[Path, typer.Option(help="The registry's TOML file.")]


def add_verify_to(cli: typer.Typer) -> None:
    """Add `verify` to the command line."""
    cli.command()(verify)


@statement_app.command()
def draft(
    project: Annotated[Path, typer.Argument(help="The project.toml.")],
    config: ConfigOption,
    period: Annotated[str | None, typer.Option(help="The monitoring period; by default the first.")] = None,
    supersedes: Annotated[str | None, typer.Option(help="The digest of the statement that this one replaces.")] = None,
) -> None:
    """Compute a monitoring period, sign the statement, keep it as a draft; prints its digest.

    Example: sakugen statement draft project.toml --config registry.toml --period 2025-26
    """
    from registry.config import RegistrySettings
    from registry.draft import DraftRequest, draft_statement
    from registry.errors import DraftError
    from registry.store import StatementStore

    settings = load_toml(config, RegistrySettings)
    if settings.operator_key_file is None:
        raise DraftError(f"{config}: operator_key_file is missing; a statement is signed when it is drawn up")
    request = DraftRequest(
        project_file=project,
        journal=settings.journal,
        keys_file=settings.keys_file,
        operator=load_signer(settings.operator_key_file),
        period=period,
        supersedes=supersedes,
    )
    with StatementStore(settings.store_file) as store:
        typer.echo(draft_statement(request, store, SystemClock()))


@statement_app.command()
def submit(digest: Annotated[str, typer.Argument(help="The statement.")], config: ConfigOption) -> None:
    """Hand a draft in; a period with held evidence is refused.

    Example: sakugen statement submit 3f0c… --config registry.toml
    """
    from registry.config import RegistrySettings
    from registry.draft import submit_statement
    from registry.errors import DraftError
    from registry.store import StatementStore

    settings = load_toml(config, RegistrySettings)
    if settings.operator_key_file is None:
        raise DraftError(f"{config}: operator_key_file is missing; it says who hands the statement in")
    operator = load_signer(settings.operator_key_file).name
    with StatementStore(settings.store_file) as store:
        submit_statement(digest, operator, store, SystemClock())
    typer.echo(f"{digest}: submitted by {operator}")


@statement_app.command()
def export(
    digest: Annotated[str, typer.Argument(help="The statement.")],
    config: ConfigOption,
    out: Annotated[Path, typer.Option(help="The zip file to write.")] = Path("bundle.zip"),
) -> None:
    """Write the bundle that anyone can check offline.

    Example: sakugen statement export 3f0c… --config registry.toml --out bundle.zip
    """
    from ingest.store.reader import JournalReader
    from registry.config import RegistrySettings
    from registry.draft import export_bundle
    from registry.store import StatementReader

    settings = load_toml(config, RegistrySettings)
    export_bundle(StatementReader(settings.store_file), JournalReader(settings.journal), digest, out)
    typer.echo(out)


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle, a zip file.")],
    trust: Annotated[
        Path | None, typer.Option(help="keys.toml with the keys you trust, from a source other than the bundle.")
    ] = None,
    parameter: Annotated[str | None, typer.Option(help="Explain this monitored parameter, with its hours.")] = None,
    point: Annotated[str | None, typer.Option(help="Explain this metering point, with its hours.")] = None,
    hour: Annotated[
        str | None, typer.Option(help="Explain an hour (project's local time, or with an offset), down to the words.")
    ] = None,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="When it passes, walk from the tonnes down.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a statement offline, from record bytes to the whole tonnes; what could not be checked is a failure.

    Example: sakugen verify bundle.zip --trust keys.toml --parameter EG --hour 2025-12-31T12:00
    """
    from compute.explain import document
    from registry.case import Case
    from registry.check import check
    from registry.explain import explain_case

    case = Case(bundle, None if trust is None else KeyRing.load(trust))
    report = check(case)
    asked = explain or (parameter, point, hour) != (None, None, None)
    found = explain_case(case, parameter, point, hour) if asked and report.ok else None
    if as_json:
        told = report.as_dict() | ({} if found is None else {"explanation": document(found)})
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for line in report.lines():
            typer.echo(line)
        if found is not None:
            typer.echo()
            print_explanation(found)
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def run(config: ConfigOption) -> None:
    """Serve projects, statements, bundles and keys until stopped.

    Example: sakugen registry run --config registry.toml
    """
    from registry.api.serve import serve
    from registry.config import RegistrySettings

    async def until_signalled() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(load_toml(config, RegistrySettings), stop, lambda url: typer.echo(f"ready registry {url}"))

    asyncio.run(until_signalled())
